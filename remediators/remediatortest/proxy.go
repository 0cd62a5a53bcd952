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

// proxy stands between a remediator and its target, and fails on demand. What only
// reads (GET, HEAD) passes.
type proxy struct {
	server   *httptest.Server
	upstream *httputil.ReverseProxy

	mu   sync.Mutex
	next fault
}

// fault is what befalls a request that changes something.
type fault func(w http.ResponseWriter, r *http.Request, forward http.Handler)

// newProxy starts one before the target. It ends with the test.
func newProxy(t *testing.T, subject Subject) *proxy {
	t.Helper()
	u, err := url.Parse(subject.Target)
	if err != nil {
		t.Fatalf("proxy for %q: %v", subject.Target, err)
	}
	p := &proxy{upstream: &httputil.ReverseProxy{
		Transport: subject.Transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(u) },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler) // an end that failed looks so to the other end
		},
	}}
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

// end is where the remediator is to connect to.
func (p *proxy) end() End { return End{URL: p.server.URL, Certificate: p.server.Certificate()} }

// ServeHTTP implements [http.Handler].
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	f := p.next
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		f = nil
	} else {
		p.next = nil
	}
	p.mu.Unlock()
	if f == nil {
		p.upstream.ServeHTTP(w, r)
		return
	}
	f(w, r, p.upstream)
}

// set makes the next request that changes something suffer f.
func (p *proxy) set(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = f
}

// loseRequest cuts the connection with the request on it.
func loseRequest(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

// loseAnswer cuts the connection once the target has answered.
func loseAnswer(_ http.ResponseWriter, r *http.Request, forward http.Handler) {
	forward.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// sendTwice is a middlebox that repeats a request and passes the second answer on.
func sendTwice(w http.ResponseWriter, r *http.Request, forward http.Handler) {
	again, err := detach(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	forward.ServeHTTP(httptest.NewRecorder(), r)
	forward.ServeHTTP(w, again)
}

// reply answers in the target's place, with an empty object.
func reply(status int, header http.Header) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		// A sender that has gone is what the test is not about.
		_, _ = io.WriteString(w, "{}")
	}
}

// held is a request that the proxy keeps.
type held struct {
	arrived, free, done chan struct{}
	once                sync.Once
}

// release lets it go; again does nothing.
func (h *held) release() { h.once.Do(func() { close(h.free) }) }

// hold keeps the request until it is released, and forwards it then, although
// the sender may have gone.
func hold() (fault, *held) {
	h := &held{arrived: make(chan struct{}), free: make(chan struct{}), done: make(chan struct{})}
	return func(_ http.ResponseWriter, r *http.Request, forward http.Handler) {
		defer close(h.done)
		// The body must be here before the sender goes.
		late, err := detach(r)
		close(h.arrived)
		if err == nil {
			<-h.free
			forward.ServeHTTP(httptest.NewRecorder(), late)
		}
		panic(http.ErrAbortHandler)
	}, h
}
