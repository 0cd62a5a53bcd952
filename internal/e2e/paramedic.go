// Package e2e runs the whole of Paramedic as its users do: the built program, as
// a process of its own with a configuration file and the rights of a limited
// user, between a real Alertmanager and a real Kubernetes API server (package
// lab).
//
//	program, err := e2e.Build(ctx, folder)
//	p, err := e2e.Start(ctx, e2e.Options{Program: program, Folder: folder, Clusters: ..., Rules: ...})
//	url := p.Webhook("alertmanager")
//	runs, err := p.API.Runs(ctx, client.Filter{})
//
// The tests say what an alert does on a real cluster, and count by the API
// server's audit log how often; the program in folder demo shows one such story
// to a person; the benchmark measures from the alert to the change. Folder failover
// has a region fail over, and kills Paramedic at every moment of it.
//
// A Paramedic may be used by many goroutines.
package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tripgen/paramedic/internal/client"
)

const (
	startWithin = time.Minute
	endWithin   = 90 * time.Second
	// Source is the name of the one source that Paramedic is configured with.
	Source = "alertmanager"
)

// Build compiles the program into the folder and returns its path. It must be
// called from within the module.
func Build(ctx context.Context, folder string) (string, error) {
	program := filepath.Join(folder, "paramedic")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/tripgen/paramedic/cmd/paramedic") //nolint:gosec // our own program, to a path of our own
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build paramedic: %w\n%s", err, out)
	}
	return program, nil
}

// Options say how to run Paramedic.
type Options struct {
	// Program is the path that Build returned.
	Program string
	// Folder takes its files. It must exist. One that was killed is started again in the same.
	Folder string
	// Clusters are the kubeconfigs by the names that rules call them; there may be none.
	Clusters map[string]string
	// Rules is a rule file.
	Rules []byte
	// Config is more of its configuration; it may be empty.
	Config string
	// Bus is the line of its configuration that says where the bus is; empty for one of its own, in Folder.
	Bus string
	// Roles are those of one that has not all; such a one has no source, no rules, and nobody who may use its API.
	Roles string
}

// Paramedic is a running one.
type Paramedic struct {
	// Address is host:port of its HTTP server.
	Address string
	// TokenFile holds the bearer token of its source, Token is what it says.
	TokenFile, Token string
	// API is a client with an operator's token.
	API *client.Client

	cmd  *exec.Cmd
	log  *logReader
	done chan struct{}
	err  error
}

// Start starts it and returns once it takes webhooks. The context bounds the
// start, not the life; Stop ends that.
func Start(ctx context.Context, o Options) (_ *Paramedic, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startWithin, fmt.Errorf("paramedic is not serving after %v", startWithin))
	defer cancel()
	p := &Paramedic{
		Token: rand.Text(), TokenFile: filepath.Join(o.Folder, "webhook.token"),
		log: &logReader{serving: make(chan string, 1)}, done: make(chan struct{}),
	}
	operator := rand.Text()
	config, err := o.configuration()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(o.Folder, "paramedic.yaml")
	for path, text := range map[string][]byte{
		file: config, filepath.Join(o.Folder, "rules.yaml"): o.Rules,
		p.TokenFile: []byte(p.Token), filepath.Join(o.Folder, "operator.token"): []byte(operator),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return nil, fmt.Errorf("paramedic's files: %w", err)
		}
	}
	args := []string{"serve", "--config", file}
	if o.Roles != "" {
		args = append(args, "--roles", o.Roles)
	}
	p.cmd = exec.Command(o.Program, args...) //nolint:gosec,noctx // the program just built; Stop ends it in order
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start paramedic: %w", err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	select {
	case p.Address = <-p.log.serving:
	case <-p.done:
		return nil, fmt.Errorf("paramedic ended at once: %w\n%s", p.err, p.Log())
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), p.Stop())
	}
	p.API, err = client.New(client.Options{Server: "http://" + p.Address, Token: operator})
	if err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return p, nil
}

// configuration is the file that a person would write.
func (o Options) configuration() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("listen: 127.0.0.1:0\n")
	if o.Bus != "" {
		b.WriteString(o.Bus + "\n")
	} else {
		b.WriteString("data: data\n")
	}
	if o.Roles == "" {
		b.WriteString(`rules: [rules.yaml]
sources:
  - {name: alertmanager, type: alertmanager, auth: {bearer: {file: webhook.token}}}
api:
  auth: {tokens: [{name: operator, role: operator, token: {file: operator.token}}]}
`)
	}
	if len(o.Clusters) > 0 {
		b.WriteString("clusters:\n")
	}
	for name, kubeconfig := range o.Clusters {
		path, err := json.Marshal(kubeconfig) // JSON is YAML, whatever the path
		if err != nil {
			return nil, fmt.Errorf("path of a kubeconfig: %w", err)
		}
		fmt.Fprintf(&b, "  %s: {kubeconfig: %s}\n", name, path)
	}
	b.WriteString(o.Config)
	return b.Bytes(), nil
}

// Webhook is where its source posts to.
func (p *Paramedic) Webhook() string { return "http://" + p.Address + "/v1/webhooks/" + Source }

// Log is all that it logged.
func (p *Paramedic) Log() string {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return p.log.all.String()
}

// Stop ends it in order, and says so if it did not end well.
func (p *Paramedic) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop paramedic: %w", err)
	}
	late := time.NewTimer(endWithin)
	defer late.Stop()
	select {
	case <-p.done:
	case <-late.C:
		return errors.Join(fmt.Errorf("paramedic did not end within %v", endWithin), p.cmd.Process.Kill())
	}
	if p.err != nil {
		return fmt.Errorf("paramedic ended badly: %w", p.err)
	}
	return nil
}

// Kill ends it at once, as kill -9 does, and returns once it is dead. Stop then has nothing to do.
func (p *Paramedic) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill paramedic: %w", err)
	}
	<-p.done
	if ended, ok := errors.AsType[*exec.ExitError](p.err); ok && !ended.Exited() {
		p.err = nil // by the signal, as it was to
	}
	return nil
}

// logReader keeps the log, and finds in it where the server listens.
type logReader struct {
	serving chan string

	mu    sync.Mutex
	all   strings.Builder
	line  []byte
	found bool
}

// Write implements io.Writer for exec.Cmd.
func (r *logReader) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all.Write(b)
	if r.found {
		return len(b), nil
	}
	r.line = append(r.line, b...)
	for !r.found {
		line, rest, whole := bytes.Cut(r.line, []byte("\n"))
		if !whole {
			break
		}
		r.line = rest
		var entry struct {
			Msg     string `json:"msg"`
			Address string `json:"address"`
		}
		if json.Unmarshal(line, &entry) == nil && entry.Msg == "serving" {
			r.found = true
			r.serving <- entry.Address
		}
	}
	return len(b), nil
}
