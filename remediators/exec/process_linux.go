package exec

import (
	"context"
	"errors"
	"math"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// grace is how long a process group has between SIGTERM and SIGKILL.
	grace = 2 * time.Second
	// leave is how long is waited for what should end at once: output that somebody
	// outside the group holds open, a process that was killed.
	leave = time.Second
	// firstOther is the first file after standard input, output and error.
	firstOther = 3
)

// process is the leader of a group of its own.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once it was waited for

	mu sync.Mutex
	// gone says that the group's number may be another's by now.
	gone bool
}

// run runs a program to its end, or to the end of its time. The error is for one
// that was not started.
func (c call) run(ctx context.Context) (ended, error) {
	limit := c.timeout
	if deadline, ok := ctx.Deadline(); ok {
		// Whoever reads the deadline may act on it: nothing of this runs on by then.
		limit = min(limit, max(time.Until(deadline)-grace-leave, 0))
	}
	p := &process{cmd: c.command(), done: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = leave
	begun := time.Now()
	started := make(chan error, 1)
	go p.own(started)
	if err := <-started; err != nil {
		return ended{}, err
	}
	end := ended{stopped: p.supervise(ctx, limit)}
	end.after = time.Since(begun)
	select {
	case <-p.done:
	default:
		end.stopped = "it does not end, although it was killed"
		return end, nil // its output is still being written
	}
	end.readable = true
	end.status, end.exited = p.status()
	return end, nil
}

// own starts the process and waits for its end, all on one thread, as the kernel
// sends the parent-death signal when the thread ends that forked. So the command
// dies with the worker, and its time stays bounded.
func (p *process) own(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	// This process opens nothing that a child would inherit, but whoever started it
	// may have left it something.
	err := unix.CloseRange(firstOther, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) { // older kernels
		err = p.cmd.Start()
	}
	if err != nil {
		started <- err
		return
	}
	started <- nil
	// Waited for without being reaped, so that the group's number stays its own
	// until what is left of the group was killed.
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	p.signalLocked(syscall.SIGKILL)
	p.gone = true
	p.mu.Unlock()
	_ = p.cmd.Wait() // its state tells, and its outputs are closed either way
}

func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signalLocked(s)
}

// signalLocked reaches the whole group. That nobody is left, or that it has become
// another user's, shows by its not ending.
func (p *process) signalLocked(s syscall.Signal) {
	if !p.gone {
		_ = syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

// supervise waits until the process has ended, and ends it when its time is up. It
// says why it did.
func (p *process) supervise(ctx context.Context, limit time.Duration) (stopped string) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.done:
		return ""
	case <-timer.C:
		stopped = "it took too long and was stopped"
	case <-ctx.Done():
		stopped = "the worker stops, and stopped it"
	}
	p.signal(syscall.SIGTERM)
	timer.Reset(grace)
	select {
	case <-p.done:
		return stopped
	case <-timer.C:
	}
	p.signal(syscall.SIGKILL)
	timer.Reset(2 * leave)
	select {
	case <-p.done:
	case <-timer.C:
	}
	return stopped
}

// status is how the process ended, and whether by itself.
func (p *process) status() (code int, exited bool) {
	state := p.cmd.ProcessState
	if state == nil {
		return 0, false
	}
	return state.ExitCode(), state.Exited()
}
