package config

import (
	"net/netip"
	"regexp"
)

// HTTP is where requests of rules may go.
type HTTP struct {
	// Allow are hosts, *.hosts, addresses and networks; nil means anywhere but to link-local addresses and clouds'
	// metadata services.
	Allow []string
}

var egressHost = regexp.MustCompile(`^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

func (f field) http() HTTP {
	var h HTTP
	f.mapping(fields{"allow": func(f field) {
		for _, e := range f.oneOrMore() {
			text, ok := e.text()
			_, noNetwork := netip.ParsePrefix(text)
			_, noAddress := netip.ParseAddr(text)
			if ok && noNetwork != nil && noAddress != nil && !egressHost.MatchString(text) {
				e.badValue(text, "this is no host, address or network: write one such as hooks.example.com, *.example.com or 10.0.0.0/8")
			}
			h.Allow = append(h.Allow, text)
		}
	}})
	return h
}
