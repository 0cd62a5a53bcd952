package conformance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// mostPayload bounds one message through the relay, as the server would.
const mostPayload = 8 << 20

// trap is a message of the worker at which it is killed.
type trap struct {
	// subject begins the message's, and it is the nth such from now on.
	subject string
	nth     int
	// stored says that the message still reaches the server, but no answer the
	// worker; else neither.
	stored bool
	sprung chan struct{}
}

// relay stands between the worker and the server and reads what the worker says:
// https://docs.nats.io/reference/reference-protocols/nats-protocol
type relay struct {
	listener net.Listener
	server   string
	kill     func()
	cancel   context.CancelFunc
	owned    sync.WaitGroup

	mu   sync.Mutex
	trap *trap
}

func newRelay(ctx context.Context, server string, kill func()) (*relay, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the worker's way to the bus: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &relay{listener: l, server: server, kill: kill, cancel: cancel}
	r.owned.Go(func() { r.accept(ctx) })
	return r, nil
}

func (r *relay) address() string { return r.listener.Addr().String() }

func (r *relay) close() {
	r.cancel()
	_ = r.listener.Close() // it has nothing to lose
	r.owned.Wait()
}

func (r *relay) accept(ctx context.Context) {
	for {
		worker, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.owned.Go(func() { r.serve(ctx, worker) })
	}
}

// serve carries one connection until either end or ctx ends it.
func (r *relay) serve(ctx context.Context, worker net.Conn) {
	var d net.Dialer
	server, err := d.DialContext(ctx, "tcp", r.server)
	if err != nil {
		_ = worker.Close() // the worker sees that
		return
	}
	hangUp := func() { _, _ = worker.Close(), server.Close() }
	defer hangUp()
	stop := context.AfterFunc(ctx, hangUp)
	defer stop()
	var deaf atomic.Bool
	var back sync.WaitGroup
	back.Go(func() {
		defer hangUp()
		_, _ = io.Copy(unless{worker, &deaf}, server) // an end is an end
	})
	r.forward(bufio.NewReaderSize(worker, 64<<10), server, &deaf)
	hangUp()
	back.Wait()
}

// unless drops what is written once the worker is deaf.
type unless struct {
	io.Writer
	deaf *atomic.Bool
}

func (u unless) Write(b []byte) (int, error) {
	if u.deaf.Load() {
		return len(b), nil
	}
	return u.Writer.Write(b)
}

// forward hands on what the worker says until it says something that springs the
// trap, or ends.
func (r *relay) forward(from *bufio.Reader, to io.Writer, deaf *atomic.Bool) {
	for {
		message, subject, err := readMessage(from)
		if err != nil {
			return
		}
		t := r.springs(subject)
		if t == nil {
			if _, err := to.Write(message); err != nil {
				return
			}
			continue
		}
		deaf.Store(true)
		if t.stored {
			_, _ = to.Write(message) // whether it arrived is looked at in the stream
		}
		r.kill()
		close(t.sprung)
		return
	}
}

// readMessage reads one line of the protocol and, where it announces one, its
// payload. Subject is that of a publish.
func readMessage(from *bufio.Reader) (message []byte, subject string, err error) {
	line, err := from.ReadString('\n')
	if err != nil {
		return nil, "", fmt.Errorf("read from the worker: %w", err)
	}
	words := strings.Fields(line)
	if len(words) < 3 || !strings.EqualFold(words[0], "PUB") && !strings.EqualFold(words[0], "HPUB") {
		return []byte(line), "", nil
	}
	size, err := strconv.Atoi(words[len(words)-1])
	if err != nil || size < 0 || size > mostPayload {
		return nil, "", fmt.Errorf("the worker announces a message of %.20q bytes", words[len(words)-1])
	}
	message = append([]byte(line), make([]byte, size+2)...)
	if _, err := io.ReadFull(from, message[len(line):]); err != nil {
		return nil, "", fmt.Errorf("read from the worker: %w", err)
	}
	return message, words[1], nil
}

// springs returns the trap that a message with the subject springs.
func (r *relay) springs(subject string) *trap {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.trap
	if t == nil || subject == "" || !strings.HasPrefix(subject, t.subject) {
		return nil
	}
	if t.nth--; t.nth > 0 {
		return nil
	}
	r.trap = nil
	return t
}

// set sets a trap, in place of one that was not sprung.
func (r *relay) set(t *trap) *trap {
	t.sprung = make(chan struct{})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trap = t
	return t
}

// await waits until the trap was sprung.
func (t *trap) await(ctx context.Context) error {
	select {
	case <-t.sprung:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the worker never sent the message to %s at which it was to be killed: %w", t.subject, ctx.Err())
	}
}
