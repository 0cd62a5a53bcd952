package remediatortest

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// httpProxy is a proxy of HTTP. What is not GET or HEAD changes something, unless
// the subject says of it that it only reads.
type httpProxy struct {
	server   *httptest.Server
	upstream *httputil.ReverseProxy
	reads    func(*http.Request) bool

	mu   sync.Mutex
	next fault
}

func newHTTPProxy(t *testing.T, subject Subject) *httpProxy {
	t.Helper()
	u, err := url.Parse(subject.Target)
	if err != nil {
		t.Fatalf("proxy for %q: %v", subject.Target, err)
	}
	p := &httpProxy{reads: subject.Reads, upstream: &httputil.ReverseProxy{
		Transport: subject.Transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(u) },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler) // an end that failed looks so to the other end
		},
	}}
	if p.reads == nil {
		p.reads = func(*http.Request) bool { return false }
	}
	p.server = httptest.NewUnstartedServer(p)
	if subject.Protocol == HTTP1 {
		p.server.Start()
	} else {
		p.server.EnableHTTP2 = subject.Protocol == HTTP2
		p.server.StartTLS()
	}
	t.Cleanup(p.server.Close)
	return p
}

func (p *httpProxy) end() End { return End{URL: p.server.URL, Certificate: p.server.Certificate()} }

func (p *httpProxy) set(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = f
}

// ServeHTTP implements [http.Handler]. A panic with ErrAbortHandler cuts the
// connection.
func (p *httpProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	f := p.next
	if r.Method == http.MethodGet || r.Method == http.MethodHead || p.reads(r) {
		f = fault{}
	} else {
		p.next = fault{}
	}
	p.mu.Unlock()
	switch f.kind {
	case noFault:
		p.upstream.ServeHTTP(w, r)
	case loseRequest:
		panic(http.ErrAbortHandler)
	case loseAnswer:
		p.upstream.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case sendTwice:
		again, err := detach(r)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		p.upstream.ServeHTTP(httptest.NewRecorder(), r)
		p.upstream.ServeHTTP(w, again)
	case answerInstead:
		maps.Copy(w.Header(), f.answer.Header)
		w.WriteHeader(f.answer.Status)
		// A sender that has gone is what the test is not about.
		_, _ = io.WriteString(w, "{}")
	case hold:
		p.keep(r, f.held)
		panic(http.ErrAbortHandler)
	}
}

// keep forwards a request once it is released.
func (p *httpProxy) keep(r *http.Request, h *held) {
	defer close(h.done)
	// The body must be here before the sender goes.
	late, err := detach(r)
	close(h.arrived)
	if err == nil {
		<-h.free
		p.upstream.ServeHTTP(httptest.NewRecorder(), late)
	}
}
