package web

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// checkOrigin lets a request without credentials pass only if no web page of
// another site can have sent it. The connection must be local, and the host
// name as well: a page whose name was made to resolve to 127.0.0.1 sends its
// own name (DNS rebinding).
func checkOrigin(r *http.Request, anyAddress bool) *refusal {
	forbidden := func(format string, args ...any) *refusal {
		return refuse(http.StatusForbidden, "Not allowed", format, args...)
	}
	if !anyAddress {
		if !localConnection(r) {
			return forbidden("without tokens the API is open to loopback connections only: configure api.auth.tokens")
		}
		if !loopbackName(r.Host) {
			return forbidden("without tokens the API answers to the names localhost, 127.0.0.1 and [::1] only: configure api.auth.tokens")
		}
		for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"} {
			if len(r.Header.Values(h)) > 0 {
				return forbidden("the request came through a proxy (header %s), behind which anybody may be: configure api.auth.tokens", h)
			}
		}
	}
	// Browsers set this header on every request, and pages cannot. Another port
	// of this host is the same site, but another program.
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return forbidden("requests from other sites are refused")
		}
	}
	for _, origin := range r.Header.Values("Origin") {
		if u, err := url.Parse(origin); err != nil || u.Scheme != scheme(r) || !strings.EqualFold(u.Host, r.Host) {
			return forbidden("requests from other sites are refused")
		}
	}
	return nil
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// localConnection reports whether both ends are on this machine. What cannot be
// told is not local.
func localConnection(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && loopbackAddress(local.String()) && loopbackAddress(r.RemoteAddr)
}

func loopbackAddress(hostport string) bool {
	a, err := netip.ParseAddrPort(hostport)
	return err == nil && a.Addr().Unmap().IsLoopback()
}

func loopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}
