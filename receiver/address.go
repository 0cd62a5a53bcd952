package receiver

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// clientAddress returns where a request comes from: the connection's other end,
// or, as long as that is a trusted proxy, whom it had the request from. That is
// the last element of X-Forwarded-For which is no trusted proxy: what stands
// further left is what a client claims. The header Forwarded (RFC 7239) is not
// looked at. With an error the address is the last that is certain.
func clientAddress(r *http.Request, trusted []netip.Prefix) (netip.Addr, error) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}, errors.New("the connection has no IP address")
	}
	// A zone names an interface of this machine, and prefixes have none.
	at := peer.Addr().Unmap().WithZone("")
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0 && within(trusted, at); i-- {
		for rest, more := lines[i], true; more && within(trusted, at); {
			cut := strings.LastIndexByte(rest, ',')
			hop, err := parseHop(strings.TrimSpace(rest[cut+1:]))
			if err != nil {
				return at, fmt.Errorf("X-Forwarded-For, as it came from the proxy %s: %w", at, err)
			}
			at, rest, more = hop, rest[:max(cut, 0)], cut >= 0
		}
	}
	return at, nil
}

// parseHop reads an address, perhaps with a port, as some proxies have it.
func parseHop(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		var both netip.AddrPort
		if both, err = netip.ParseAddrPort(s); err != nil {
			return netip.Addr{}, fmt.Errorf("%.60q is no address", s)
		}
		addr = both.Addr()
	}
	if addr.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%.60q has a zone", s)
	}
	return addr.Unmap(), nil
}

func within(networks []netip.Prefix, at netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(at) {
			return true
		}
	}
	return false
}

// validNetworks refuses what would match nothing.
func validNetworks(what string, networks []netip.Prefix) error {
	for _, n := range networks {
		switch {
		case !n.IsValid():
			return fmt.Errorf("%s has a network that is none", what)
		case n.Addr().Is4In6():
			return fmt.Errorf("%s has %s: write it as IPv4, as addresses are compared", what, n)
		}
	}
	return nil
}

// remote is the client's address for the log.
func (rx *Receiver) remote(r *http.Request) string {
	at, _ := clientAddress(r, rx.proxies) // what is wrong with it is in the refusal
	if !at.IsValid() {
		return r.RemoteAddr
	}
	return at.String()
}

// countFailure counts a failed attempt of the client.
func (rx *Receiver) countFailure(r *http.Request) {
	at, _ := clientAddress(r, rx.proxies) // as far as it is certain
	rx.failures.failed(at, rx.now())
}
