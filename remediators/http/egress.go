package http

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
)

// Egress says where requests may go. The zero value is anywhere but to the addresses
// that clouds and links keep for themselves.
type Egress struct {
	// hosts are names as they are written in URLs, or .example.com for those below;
	// networks are of addresses.
	hosts    []string
	networks []netip.Prefix
}

// ParseEgress reads a list of what is allowed: a host's name, *.example.com for all
// below a name, an address, or a network as 10.0.0.0/8. An empty list is the zero
// value.
//
// What is listed by name may resolve to any address but link-local ones, among them
// the metadata services that hand out a machine's credentials; those must be listed
// by their address. It is the address that is connected to which is looked at, so a
// name that changes its mind gains nothing.
func ParseEgress(list []string) (Egress, error) {
	var e Egress
	for _, one := range list {
		name := strings.ToLower(strings.TrimSuffix(one, "."))
		bare := strings.TrimPrefix(name, "*.")
		prefix, err := netip.ParsePrefix(name)
		address, notAddress := netip.ParseAddr(name)
		switch {
		case err == nil:
			e.networks = append(e.networks, prefix.Masked())
		case notAddress == nil:
			e.networks = append(e.networks, netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()))
		case bare == "" || strings.ContainsAny(bare, "*/:@?#[] %") || strings.HasPrefix(bare, "."):
			return Egress{}, fmt.Errorf("%q is no host, address or network: write one such as hooks.example.com, *.example.com or 10.0.0.0/8", one)
		default:
			e.hosts = append(e.hosts, strings.TrimPrefix(name, "*"))
		}
	}
	return e, nil
}

// listed says that everything is held to the list.
func (e Egress) listed() bool { return len(e.hosts) > 0 || len(e.networks) > 0 }

// guarded are the addresses that are never meant by accident. Sources: RFC 3927 and
// RFC 4291 for link-local ones, among them every large cloud's metadata service at
// 169.254.169.254; fd00:ec2::254 is that of AWS by IPv6, 168.63.129.16 Azure's,
// 100.100.100.200 Alibaba's.
func guarded(a netip.Addr) bool {
	return a.IsLinkLocalUnicast() || a.IsMulticast() || slices.Contains([]netip.Addr{
		netip.AddrFrom4([4]byte{168, 63, 129, 16}), netip.AddrFrom4([4]byte{100, 100, 100, 200}),
		netip.AddrFrom16([16]byte{0xfd, 0x00, 0x0e, 0xc2, 14: 0x02, 15: 0x54}),
	}, a)
}

// embedded is the IPv4 address that an IPv6 one stands for, by mapping or by NAT64
// (RFC 6052), or the address itself.
func embedded(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if nat64 := netip.MustParsePrefix("64:ff9b::/96"); nat64.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// deniedError is a place where requests may not go.
type deniedError struct{ text string }

func (e *deniedError) Error() string { return e.text }

func denied(format string, args ...any) error { return &deniedError{fmt.Sprintf(format, args...)} }

// named says that a host is on the list by its name.
func (e Egress) named(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.ContainsFunc(e.hosts, func(h string) bool {
		return h == host || h[0] == '.' && strings.HasSuffix(host, h)
	})
}

// address says why an address may not be connected to.
func (e Egress) address(host string, a netip.Addr) error {
	a = embedded(a)
	switch {
	case slices.ContainsFunc(e.networks, func(n netip.Prefix) bool { return n.Contains(a) }):
		return nil
	case guarded(a):
		return denied("%s is %s, which is link-local or a cloud's own: requests go there only if http.allow lists the address", host, a)
	case e.listed() && !e.named(host):
		return denied("%s, which is %s, is not in http.allow", host, a)
	}
	return nil
}

// host says why a URL's host may not be asked, as far as the name tells: what it
// resolves to is looked at when it is connected to.
func (e Egress) host(u *url.URL) error {
	host := u.Hostname()
	if a, err := netip.ParseAddr(host); err == nil {
		return e.address(host, a)
	}
	if e.listed() && !e.named(host) && len(e.networks) == 0 {
		return denied("%s is not in http.allow", host)
	}
	return nil
}

// proxied says why a URL may not be asked through a proxy, which resolves the name.
func (e Egress) proxied(u *url.URL) error {
	_, notAddress := netip.ParseAddr(u.Hostname())
	if notAddress != nil && e.listed() && !e.named(u.Hostname()) {
		return denied("%s is not in http.allow by its name, and a proxy resolves it", u.Hostname())
	}
	return e.host(u)
}

// viaProxy marks requests that go to the environment's proxy.
type viaProxy struct{}

// proxy finds a request's proxy, and refuses what may not go through it.
func (e Egress) proxy(ctx context.Context, r *http.Request) (context.Context, error) {
	if err := e.host(r.URL); err != nil {
		return ctx, err
	}
	proxy, err := http.ProxyFromEnvironment(r)
	if err != nil || proxy == nil {
		return ctx, err
	}
	return context.WithValue(ctx, viaProxy{}, true), e.proxied(r.URL)
}

// dial connects to what is allowed: the address is looked at once it is known, and
// before anything is sent there.
func (e Egress) dial(ctx context.Context, network, to string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	host, _, err := net.SplitHostPort(to)
	if err != nil {
		return nil, err
	}
	if ctx.Value(viaProxy{}) == nil {
		d.Control = func(_, resolved string, _ syscall.RawConn) error {
			address, err := netip.ParseAddrPort(resolved)
			if err != nil {
				return errors.Join(denied("%s: its address is not understood", host), err)
			}
			return e.address(host, address.Addr())
		}
	}
	return d.DialContext(ctx, network, to)
}
