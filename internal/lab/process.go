package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// process is one server that the lab runs, with its output in a file.
type process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed once the process has ended and err is set
	err  error
}

// startProcess runs the program with folder as its working folder. The context only gives values: whoever started
// the process ends it.
func startProcess(ctx context.Context, folder, name, program string, args ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(folder, name+".log"), done: make(chan struct{})}
	output, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: log: %w", name, err)
	}
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), program, args...) //nolint:gosec // a server that the lab has built
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = folder, output, output
	// Little of the caller's environment, so that proxies, kubeconfigs and in-cluster variables do not leak in.
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "TMPDIR=" + folder}
	bind(p.cmd)

	started := make(chan error, 1)
	go p.own(started, output)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("%s: start %s: %w", name, program, err)
	}
	return p, nil
}

// own starts the process and waits for its end, all on one thread: the parent-death signal is sent when the thread
// that forked ends, which the runtime may otherwise let happen at any time.
func (p *process) own(started chan<- error, output *os.File) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	if err := p.cmd.Start(); err != nil {
		p.err = errors.Join(err, output.Close())
		started <- p.err
		return
	}
	started <- nil
	p.err = errors.Join(p.cmd.Wait(), output.Close())
}

// ended reports whether the process is over.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop ends the process and waits for it: politely if there is a grace, else at once.
func (p *process) stop(grace time.Duration) error {
	if p.ended() {
		return nil
	}
	if grace > 0 {
		if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("%s: interrupt: %w", p.name, err)
		}
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-p.done:
			return nil
		case <-timer.C:
		}
	}
	if err := killGroup(p.cmd.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: kill: %w", p.name, err)
	}
	<-p.done
	return nil
}

const tailBytes = 4 << 10

// tail is the end of the process's output.
func (p *process) tail() string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return "no log: " + err.Error()
	}
	if len(content) > tailBytes {
		content = content[len(content)-tailBytes:]
		if cut := bytes.IndexByte(content, '\n'); cut >= 0 {
			content = content[cut+1:]
		}
	}
	return string(bytes.TrimSpace(content))
}

// makeFolder makes a new folder in the given one and returns its absolute path, as the servers run elsewhere.
func makeFolder(parent, prefix string) (string, error) {
	folder, err := os.MkdirTemp(parent, prefix)
	if err != nil {
		return "", err
	}
	return filepath.Abs(folder)
}

// StartError says which server did not come up, and shows the end of what it wrote.
type StartError struct {
	Component string
	Log       string
	Err       error
}

func (e *StartError) Error() string {
	return fmt.Sprintf("lab: %s did not start: %v\n--- end of its log ---\n%s", e.Component, e.Err, e.Log)
}

func (e *StartError) Unwrap() error { return e.Err }

var (
	errEnded     = errors.New("the process ended")
	errPortTaken = errors.New("another process took its port")
)

// failed is the error of a start in which the process did not become what it should.
func (p *process) failed(err error) error {
	log := p.tail()
	if strings.Contains(strings.ToLower(log), "address already in use") {
		err = errors.Join(errPortTaken, err)
	}
	return &StartError{Component: p.name, Log: log, Err: err}
}

// await polls the condition until it holds, the process ends, or the context does.
func (p *process) await(ctx context.Context, condition func(context.Context) error) error {
	err := poll(ctx, func(ctx context.Context) error {
		if p.ended() {
			return final(fmt.Errorf("%w: %w", errEnded, p.exit()))
		}
		return condition(ctx)
	})
	// A stranger on the same port can answer in the process's stead while the process is giving up.
	if err == nil && p.ended() {
		err = fmt.Errorf("%w: %w", errEnded, p.exit())
	}
	if err != nil {
		return p.failed(err)
	}
	return nil
}

// exit says how the ended process ended.
func (p *process) exit() error {
	if p.err != nil {
		return p.err
	}
	return errors.New("exit status 0")
}
