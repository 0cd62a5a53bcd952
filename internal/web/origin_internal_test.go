package web

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A listener on another address cannot be had in every test environment, so
// this looks at the judgement by itself.
func TestOpenAPIServesLoopbackConnectionsOnly(t *testing.T) {
	t.Parallel()
	loop := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	for name, c := range map[string]struct {
		local  net.Addr
		remote string
		pass   bool
	}{
		"loopback":             {loop, "127.0.0.1:5", true},
		"IPv6":                 {&net.TCPAddr{IP: net.IPv6loopback, Port: 1}, "[::1]:5", true},
		"another's":            {loop, "192.0.2.1:5", false},
		"listening everywhere": {&net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 1}, "192.0.2.9:5", false},
		"a socket file":        {&net.UnixAddr{Name: "/x"}, "@", false},
		"not known":            {nil, "127.0.0.1:5", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/api/v1/runs", http.NoBody)
		r.RemoteAddr = c.remote
		if c.local != nil {
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, c.local))
		}
		if refused := checkOrigin(r, false); (refused == nil) != c.pass {
			t.Errorf("%s: %v", name, refused)
		}
		if refused := checkOrigin(r, true); refused != nil {
			t.Errorf("%s, any address: %v", name, refused)
		}
	}
}
