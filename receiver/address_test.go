package receiver

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func networks(list ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, one := range list {
		all = append(all, netip.MustParsePrefix(one))
	}
	return all
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	proxies := networks("10.0.0.0/8", "fd00::/8")
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
		wrong      bool
	}{
		{"nobody between", "203.0.113.9:40000", nil, "203.0.113.9", false},
		{"nobody between, and a lie", "203.0.113.9:40000", []string{"192.0.2.1"}, "203.0.113.9", false},
		{"nobody between, and rubbish", "203.0.113.9:40000", []string{"rubbish"}, "203.0.113.9", false},
		{"a proxy", "10.0.0.1:1", []string{"203.0.113.9"}, "203.0.113.9", false},
		{"a proxy that says nothing", "10.0.0.1:1", nil, "10.0.0.1", false},
		{"a proxy, behind it a lie", "10.0.0.1:1", []string{"192.0.2.1, 203.0.113.9"}, "203.0.113.9", false},
		{"a proxy, behind it a lie in a header of its own", "10.0.0.1:1", []string{"192.0.2.1", "203.0.113.9"}, "203.0.113.9", false},
		{"a proxy, behind it rubbish", "10.0.0.1:1", []string{"rubbish,203.0.113.9"}, "203.0.113.9", false},
		{"two proxies", "10.0.0.1:1", []string{"192.0.2.1,203.0.113.9,10.0.0.2"}, "203.0.113.9", false},
		{"two proxies, a header each", "10.0.0.1:1", []string{"203.0.113.9", "10.0.0.2"}, "203.0.113.9", false},
		{"a lie that one is a proxy", "10.0.0.1:1", []string{"192.0.2.1,10.0.0.2,203.0.113.9"}, "203.0.113.9", false},
		{"nothing but proxies", "10.0.0.1:1", []string{"10.0.0.3,10.0.0.2"}, "10.0.0.3", false},
		{"with a port", "10.0.0.1:1", []string{"203.0.113.9:5060"}, "203.0.113.9", false},
		{"version 6", "[fd00::1]:1", []string{"2001:db8::7"}, "2001:db8::7", false},
		{"version 6 in brackets", "10.0.0.1:1", []string{"[2001:db8::7]"}, "2001:db8::7", false},
		{"version 6 with a port", "10.0.0.1:1", []string{"[2001:db8::7]:5060"}, "2001:db8::7", false},
		{"a mapped peer", "[::ffff:10.0.0.1]:1", []string{"203.0.113.9"}, "203.0.113.9", false},
		{"a mapped client", "10.0.0.1:1", []string{"::ffff:203.0.113.9"}, "203.0.113.9", false},
		{"a mapped proxy", "10.0.0.1:1", []string{"203.0.113.9,::ffff:10.0.0.2"}, "203.0.113.9", false},
		{"a peer with a zone", "[fe80::1%eth0]:1", nil, "fe80::1", false},
		{"a client with a zone", "10.0.0.1:1", []string{"fe80::1%eth0"}, "10.0.0.1", true},
		{"hidden", "10.0.0.1:1", []string{"_hidden"}, "10.0.0.1", true},
		{"hidden behind the second", "10.0.0.1:1", []string{"unknown, 10.0.0.2"}, "10.0.0.2", true},
		{"empty", "10.0.0.1:1", []string{""}, "10.0.0.1", true},
		{"an empty element", "10.0.0.1:1", []string{"203.0.113.9,"}, "10.0.0.1", true},
		{"a number", "10.0.0.1:1", []string{"3405803785"}, "10.0.0.1", true},
		{"octal", "10.0.0.1:1", []string{"0313.0.0161.011"}, "10.0.0.1", true},
		{"no address at all", "@", []string{"203.0.113.9"}, "invalid IP", true},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		if c.forwarded != nil {
			r.Header["X-Forwarded-For"] = c.forwarded
		}
		got, err := clientAddress(r, proxies)
		if got.String() != c.want || (err != nil) != c.wrong {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

// Whatever a client writes, what the proxy adds behind it counts; and without a
// proxy nothing does.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{"", ",", "192.0.2.1", "10.0.0.2", "10.0.0.2,", "[::1", "::ffff:10.0.0.2", "fe80::1%a,b", strings.Repeat("10.0.0.1,", 99)} {
		f.Add(seed)
	}
	proxies := networks("10.0.0.0/8")
	f.Fuzz(func(t *testing.T, claimed string) {
		const client = "203.0.113.9"
		for _, forwarded := range [][]string{{claimed + "," + client}, {claimed, client}, {claimed, client + ", 10.0.0.7"}} {
			r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": forwarded}}
			if got, err := clientAddress(r, proxies); err != nil || got.String() != client {
				t.Errorf("%q: %s, %v", forwarded, got, err)
			}
		}
		r := &http.Request{RemoteAddr: client + ":1", Header: http.Header{"X-Forwarded-For": {claimed}}}
		if got, err := clientAddress(r, proxies); err != nil || got.String() != client {
			t.Errorf("without a proxy, %q: %s, %v", claimed, got, err)
		}
		r.RemoteAddr = "10.0.0.1:1"
		got, err := clientAddress(r, proxies)
		if !got.IsValid() || got.Is4In6() || got.Zone() != "" || err == nil && within(proxies, got) && strings.ContainsAny(claimed, "g-z") {
			t.Errorf("%q: %s, %v", claimed, got, err)
		}
	})
}
