package bus

import (
	"bytes"
	"net"
	"sync"
	"testing"
)

// proxy stands between a client and a server and loses answers on demand.
type proxy struct {
	t      testing.TB
	ln     net.Listener
	target string
	wg     sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	match  []byte // an answer containing this is swallowed and its connection cut
	cut    chan struct{}
	refuse bool
}

func startProxy(t testing.TB, target string) *proxy {
	t.Helper()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, ln: ln, target: target, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = ln.Close()
		p.cutAll()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) url() string { return "nats://" + p.ln.Addr().String() }

func (p *proxy) accept() {
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return
		}
		var d net.Dialer
		s, err := d.DialContext(p.t.Context(), "tcp", p.target)
		p.mu.Lock()
		if err != nil || p.refuse {
			p.mu.Unlock()
			_ = c.Close()
			if err == nil {
				_ = s.Close()
			}
			continue
		}
		p.conns[c], p.conns[s] = true, true
		p.mu.Unlock()
		p.wg.Go(func() { p.copy(c, s, false) })
		p.wg.Go(func() { p.copy(s, c, true) })
	}
}

func (p *proxy) copy(from, to net.Conn, answers bool) {
	defer p.drop(from)
	defer p.drop(to)
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if answers && p.swallow(buf[:n]) {
			return
		}
		if _, werr := to.Write(buf[:n]); werr != nil || err != nil {
			return
		}
	}
}

func (p *proxy) swallow(b []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.match == nil || !bytes.Contains(b, p.match) {
		return false
	}
	p.match = nil
	close(p.cut)
	return true
}

func (p *proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	_ = c.Close()
}

// cutAt loses the next answer containing s, with its connection; the returned
// channel is closed when that has happened.
func (p *proxy) cutAt(s string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.match, p.cut = []byte(s), make(chan struct{})
	return p.cut
}

// cutAll cuts every connection.
func (p *proxy) cutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) refuseNew() { p.setRefuse(true) }

func (p *proxy) acceptAgain() { p.setRefuse(false) }

func (p *proxy) setRefuse(v bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = v
}
