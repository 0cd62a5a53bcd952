package remediatortest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// streamProxy is a proxy of a protocol in which a client sends requests over TCP,
// each of which is answered in its turn.
type streamProxy struct {
	t       *testing.T
	subject Subject
	listen  net.Listener

	mu    sync.Mutex
	next  fault
	conns map[net.Conn]bool
	all   sync.WaitGroup
}

func newStreamProxy(t *testing.T, subject Subject) *streamProxy {
	t.Helper()
	listen, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("proxy: %v", err)
	}
	p := &streamProxy{t: t, subject: subject, listen: listen, conns: map[net.Conn]bool{}}
	p.all.Go(p.accept)
	t.Cleanup(func() {
		if err := listen.Close(); err != nil {
			t.Errorf("proxy: %v", err)
		}
		p.mu.Lock()
		for c := range p.conns {
			_ = c.Close() // the other end may have closed it
		}
		p.conns = nil
		p.mu.Unlock()
		p.all.Wait()
	})
	return p
}

func (p *streamProxy) end() End { return End{URL: "tcp://" + p.listen.Addr().String()} }

func (p *streamProxy) set(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = f
}

// take is the fault for a request, which is used up by one that changes something.
func (p *streamProxy) take(changes bool) (f fault) {
	if !changes {
		return fault{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f, p.next = p.next, fault{}
	return f
}

// keep holds a connection to be closed at the end; false if that has come.
func (p *streamProxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns == nil {
		_ = c.Close()
		return false
	}
	p.conns[c] = true
	return true
}

func (p *streamProxy) accept() {
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return // the test is over
		}
		target, err := (&net.Dialer{}).DialContext(p.t.Context(), "tcp", p.subject.Target)
		if err != nil {
			_ = client.Close()
			continue
		}
		if p.keep(client) && p.keep(target) {
			p.all.Go(func() { p.serve(client, target) })
		}
	}
}

// serve passes requests on until either end closes, or a fault cuts both.
func (p *streamProxy) serve(client, target net.Conn) {
	answers := &valve{to: client, passed: make(chan struct{}, 1)}
	p.all.Go(func() {
		// Both closing and cutting end it.
		_, _ = io.Copy(answers, target)
		answers.pass()
		_ = client.Close()
	})
	defer func() { _ = errors.Join(client.Close(), target.Close()) }()
	requests := bufio.NewReader(client)
	for {
		request, changes, err := p.subject.Next(requests)
		if err != nil || !p.pass(p.take(changes), request, client, target, answers) {
			return
		}
	}
}

// pass deals with one request; false cuts the connection.
func (p *streamProxy) pass(f fault, request []byte, client, target io.Writer, answers *valve) bool {
	switch f.kind {
	case noFault:
		_, err := target.Write(request)
		return err == nil
	case answerInstead:
		_, err := io.WriteString(client, f.answer.Raw)
		return err == nil
	case loseAnswer:
		answers.shut(target, request)
	case hold:
		close(f.held.arrived)
		<-f.held.free
		answers.shut(target, request)
		close(f.held.done)
	case loseRequest:
	case sendTwice:
		p.t.Error("a call over TCP cannot be sent twice here: the answers are not told apart")
	}
	return false
}

// valve passes answers on until it is shut.
type valve struct {
	mu     sync.Mutex
	closed bool
	to     io.Writer
	passed chan struct{}
}

// Write implements [io.Writer].
func (v *valve) Write(b []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.closed {
		return v.to.Write(b)
	}
	v.pass()
	return len(b), nil
}

// pass says that an answer was swallowed, or that none will come.
func (v *valve) pass() {
	select {
	case v.passed <- struct{}{}:
	default:
	}
}

// shut sends a request of which the answer is swallowed, and waits for that: the
// target has acted then.
func (v *valve) shut(target io.Writer, request []byte) {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	if _, err := target.Write(request); err == nil {
		<-v.passed
	}
}
