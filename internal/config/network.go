package config

import "net/netip"

// networks are addresses (203.0.113.7) and networks (203.0.113.0/24) of IPv4 and IPv6.
func (f field) networks() []netip.Prefix {
	return each(f, field.network)
}

func (f field) network() netip.Prefix {
	text, ok := f.text()
	if !ok {
		return netip.Prefix{}
	}
	if ip, err := netip.ParseAddr(text); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen())
	}
	network, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		f.badValue(text, "write an address such as 203.0.113.7, or a network such as 203.0.113.0/24 or 2001:db8::/32")
	case network.Addr().Is4In6():
		f.badValue(text, "write it as IPv4: requests are compared by their plain address")
	case network != network.Masked():
		f.badValue(text, "it has bits behind its length: write %s, or %s for the one address", network.Masked(), network.Addr())
	}
	return network
}

// proxies are networks without one that holds everybody: whoever may say where a request is from may be anybody.
func (f field) proxies() []netip.Prefix {
	elements := f.oneOrMore()
	list := make([]netip.Prefix, len(elements))
	for i, e := range elements {
		if list[i] = e.network(); list[i].IsValid() && list[i].Bits() == 0 {
			e.badValue(e.node.Value, "then every sender could name any address as its own: list the addresses of your proxies")
		}
	}
	return list
}
