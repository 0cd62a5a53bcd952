package failover_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/tripgen/paramedic/internal/lab/azure"
)

// relay stands before a Redis, and lets something happen to the next command that makes it a primary or a replica, as
// lab/azure does to changes there.
type relay struct {
	listener net.Listener
	to       string
	running  sync.WaitGroup

	mu     sync.Mutex
	faults []azure.Fault
	open   map[net.Conn]bool
	closed bool
}

func newRelay(ctx context.Context, to string) (*relay, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{listener: listener, to: to, open: map[net.Conn]bool{}}
	r.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			r.running.Go(func() { r.pass(ctx, conn) })
		}
	})
	return r, nil
}

func (r *relay) address() string { return r.listener.Addr().String() }

// next has a fault happen to a change that has none yet.
func (r *relay) next(f azure.Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, f)
}

func (r *relay) fault() (f azure.Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.faults) > 0 {
		f, r.faults = r.faults[0], r.faults[1:]
	}
	return f
}

func (r *relay) close() error {
	r.mu.Lock()
	r.closed = true
	err := r.listener.Close()
	for conn := range r.open {
		err = errors.Join(err, conn.Close())
	}
	r.mu.Unlock()
	r.running.Wait()
	return err
}

// keep remembers a connection, unless all are closed already.
func (r *relay) keep(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.open[conn] = true
	}
	return !r.closed
}

func (r *relay) drop(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[conn] {
		delete(r.open, conn)
		_ = conn.Close() // its other end may be gone
	}
}

// pass carries one connection.
func (r *relay) pass(ctx context.Context, client net.Conn) {
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.to)
	if err != nil {
		_ = client.Close()
		return
	}
	defer r.drop(client)
	defer r.drop(server)
	if !r.keep(client) || !r.keep(server) {
		return
	}
	// What happens to the answer that comes next. A client here waits for each of its answers.
	answers := make(chan azure.Fault, 16)
	back := make(chan struct{})
	go func() {
		defer close(back)
		defer r.drop(client)
		defer r.drop(server)
		carry(server, func(answer []byte) bool {
			f := azure.Fault{}
			select {
			case f = <-answers:
			default:
			}
			happens(f, azure.Applied)
			if _, err := client.Write(answer); err != nil {
				happens(f, azure.Answered) // whoever asked is gone
				return false
			}
			happens(f, azure.Answered)
			return true
		})
	}()
	var followed azure.Fault
	carry(client, func(command []byte) bool {
		if !bytes.Contains(bytes.ToLower(command), []byte("replicaof")) {
			happens(followed, azure.Followed) // by the next command on the connection
			followed = azure.Fault{}
			_, err := server.Write(command)
			return err == nil
		}
		f := r.fault()
		happens(f, azure.Arrived)
		if f.At == azure.Arrived && f.Cut {
			return false
		}
		answers <- f
		followed = f
		_, err := server.Write(command)
		return err == nil
	})
	r.drop(client)
	<-back
}

// happens does what is to happen at a moment.
func happens(f azure.Fault, at azure.Moment) {
	if f.At == at && f.Do != nil {
		f.Do()
	}
}

// carry hands on what comes, as it comes.
func carry(from io.Reader, hand func([]byte) bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !hand(buffer[:n]) || err != nil {
			return
		}
	}
}
