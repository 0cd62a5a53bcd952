package dns_test

import (
	"crypto/rand"
	"encoding/json"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/dns"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// zone is what a name has: addresses, or first "=name" that it is an alias of.
type zone map[string][]string

// serve answers questions by UDP from the zone, as a recursive resolver does.
func serve(t *testing.T, z zone) string {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var server sync.WaitGroup
	server.Go(func() {
		buf := make([]byte, 1500)
		lose := map[string]bool{"lost.example.com.": true} // the first time
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var asked dnsmessage.Message
			if err := asked.Unpack(buf[:n]); err != nil || len(asked.Questions) != 1 {
				t.Errorf("asked with %x: %v", buf[:n], err)
				continue
			}
			name := asked.Questions[0].Name.String()
			if reply := z.reply(t, asked); reply != nil && !lose[name] {
				_, _ = conn.WriteTo(forged(reply), from)
				_, _ = conn.WriteTo(reply, from)
			}
			delete(lose, name)
		}
	})
	t.Cleanup(func() { _ = conn.Close(); server.Wait() })
	return conn.LocalAddr().String()
}

// forged is a reply to another question, which somebody sends who does not see it.
func forged(reply []byte) []byte {
	other := slices.Clone(reply)
	other[0]++
	other[3] |= byte(dnsmessage.RCodeNameError)
	return other
}

// reply is nil for names that begin with silent.
func (z zone) reply(t *testing.T, m dnsmessage.Message) []byte {
	t.Helper()
	q := m.Questions[0]
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	at := q.Name
	for {
		name := strings.ToLower(at.String())
		answers, ok := z[name]
		switch {
		case strings.HasPrefix(name, "silent"):
			return nil
		case strings.HasPrefix(name, "broken"):
			m.RCode = dnsmessage.RCodeServerFailure
		case !ok:
			m.RCode = dnsmessage.RCodeNameError
		}
		header := dnsmessage.ResourceHeader{Name: at, Class: dnsmessage.ClassINET, TTL: 1}
		if len(answers) == 1 && answers[0][0] == '=' {
			at = dnsmessage.MustNewName(answers[0][1:])
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.CNAMEResource{CNAME: at}})
			if strings.HasPrefix(name, "chain") { // the order is the server's to choose
				header.Name = at
				m.Answers = append([]dnsmessage.Resource{{Header: header, Body: &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("korea.example.com.")}}}, m.Answers...)
			}
			if q.Type != dnsmessage.TypeCNAME {
				continue
			}
			answers = nil
		}
		for _, one := range answers {
			a := netip.MustParseAddr(one)
			var body dnsmessage.ResourceBody
			switch {
			case a.Is4() && q.Type == dnsmessage.TypeA:
				body = &dnsmessage.AResource{A: a.As4()}
			case a.Is6() && q.Type == dnsmessage.TypeAAAA:
				body = &dnsmessage.AAAAResource{AAAA: a.As16()}
			default:
				continue
			}
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: body})
		}
		reply, err := m.Pack()
		if err != nil {
			t.Error(err)
		}
		return reply
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	server := serve(t, zone{
		"shop.example.com.":  {"=korea.example.com."},
		"korea.example.com.": {"10.0.0.2", "10.0.0.1", "fd00::1"},
		"chain.example.com.": {"=shop.example.com."},
		"dead.example.com.":  {"=gone.example.com."},
		"empty.example.com.": {},
		"lost.example.com.":  {"=korea.example.com."},
	})
	for name, c := range map[string]struct {
		params string
		want   bool
		says   string
	}{
		"exactly, in any order":           {`"name": "korea.example.com", "exactly": ["10.0.0.1", "10.0.0.2"]`, true, "korea.example.com A at " + server + " is 10.0.0.1, 10.0.0.2"},
		"twice the same":                  {`"name": "korea.example.com", "exactly": ["10.0.0.1", "10.0.0.2", "10.0.0.1"]`, true, ""},
		"one more than wanted":            {`"name": "korea.example.com", "exactly": ["10.0.0.1"]`, false, "is 10.0.0.1, 10.0.0.2, want exactly 10.0.0.1"},
		"one less than wanted":            {`"name": "korea.example.com", "exactly": ["10.0.0.1", "10.0.0.2", "10.0.0.3"]`, false, "want exactly"},
		"at least":                        {`"name": "Korea.Example.com.", "record": "A", "atLeast": ["10.0.0.2"]`, true, ""},
		"not even":                        {`"name": "korea.example.com", "atLeast": ["10.0.0.2", "10.0.0.3"]`, false, "want at least 10.0.0.2, 10.0.0.3"},
		"AAAA, as it may be written":      {`"name": "korea.example.com", "record": "AAAA", "exactly": ["FD00:0:0::1"]`, true, "is fd00::1"},
		"another AAAA":                    {`"name": "korea.example.com", "record": "AAAA", "exactly": ["fd00::2"]`, false, "want exactly fd00::2"},
		"addresses of an alias":           {`"name": "chain.example.com", "atLeast": ["10.0.0.1"]`, true, ""},
		"an alias":                        {`"name": "shop.example.com", "record": "CNAME", "exactly": ["Korea.example.com."]`, true, "is korea.example.com"},
		"an alias of an alias":            {`"name": "chain.example.com", "record": "CNAME", "exactly": ["shop.example.com"]`, true, ""},
		"an alias of another":             {`"name": "shop.example.com", "record": "CNAME", "atLeast": ["japan.example.com"]`, false, "is korea.example.com, want at least japan.example.com"},
		"no alias":                        {`"name": "korea.example.com", "record": "CNAME", "exactly": ["korea.example.com"]`, false, "there is no such record"},
		"an alias of what is not":         {`"name": "dead.example.com", "atLeast": ["10.0.0.1"]`, false, "no such record"},
		"not there":                       {`"name": "gone.example.com", "atLeast": ["10.0.0.1"]`, false, "gone.example.com A at " + server + ": there is no such record"},
		"not there, with an alias":        {`"name": "gone.example.com", "record": "CNAME", "atLeast": ["x.example.com"]`, false, "no such record"},
		"there, but without a record":     {`"name": "empty.example.com", "atLeast": ["10.0.0.1"]`, false, "no such record"},
		"there, but without addresses":    {`"name": "empty.example.com", "record": "AAAA", "atLeast": ["fd00::1"]`, false, "no such record"},
		"an alias of what is not, itself": {`"name": "dead.example.com", "record": "CNAME", "exactly": ["gone.example.com"]`, true, ""},
		"no answer about an alias":        {`"name": "silent.example.com", "record": "CNAME", "exactly": ["x.y"], "timeout": "100ms"`, false, "no answer in time"},
		"asked again":                     {`"name": "lost.example.com", "record": "CNAME", "exactly": ["korea.example.com"]`, true, ""},
		"a failure about an alias":        {`"name": "broken.example.com", "record": "CNAME", "exactly": ["x.y"]`, false, "the server answers ServerFailure"},
		"a failure of the server":         {`"name": "broken.example.com", "atLeast": ["10.0.0.1"]`, false, "misbehaving"},
		"no answer":                       {`"name": "silent.example.com", "atLeast": ["10.0.0.1"], "timeout": "100ms"`, false, "no answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p verify.Prober = dns.NewProbe(rand.Reader)
			check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage(`{"server": "`+server+`", `+c.params+`}`))
			if err != nil || check.OK != c.want || check.Kind != "dns" || !strings.Contains(check.Detail, c.says) {
				t.Errorf("%+v, %v; want %t with %q", check, err, c.want, c.says)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	check, err := dns.NewProbe(rand.Reader).Probe(t.Context(), engine.Target{}, json.RawMessage(`{"name": "h.example.com", "atLeast": ["10.0.0.1"], "server": "127.0.0.1:1", "timeout": "5s"}`))
	if err != nil || check.OK || !strings.Contains(check.Detail, "refused") {
		t.Errorf("%+v, %v", check, err)
	}
	// Of the system's servers no more is known than that none has a name in .invalid (RFC 6761, section 6.4).
	check, err = dns.NewProbe(rand.Reader).Probe(t.Context(), engine.Target{}, json.RawMessage(`{"name": "h.invalid", "atLeast": ["10.0.0.1"], "timeout": "2s"}`))
	if err != nil || check.OK || !strings.HasPrefix(check.Detail, "h.invalid A: ") {
		t.Errorf("%+v, %v", check, err)
	}
}

func TestRefuses(t *testing.T) {
	t.Parallel()
	schema := remediatortest.Schema(t, dns.NewProbe(rand.Reader).Spec().Params)
	for params, says := range map[string]string{
		`{}`: "is no name",
		`{"name": "h", "exactly": ["10.0.0.1"], "ttl": 1}`: "ttl",
		`{"name": "h"}`:                "want exactly one of",
		`{"name": "h", "exactly": []}`: "want exactly one of",
		`{"name": "h", "exactly": ["10.0.0.1"], "atLeast": ["10.0.0.1"]}`:               "want exactly one of",
		`{"name": "h", "record": "MX", "exactly": ["10.0.0.1"]}`:                        `record "MX"`,
		`{"name": "h", "record": "CNAME", "exactly": ["a.b", "c.d"], "server": "h:53"}`: "write one",
		`{"name": "h", "record": "CNAME", "exactly": ["a.b"]}`:                          "server is missing",
		`{"name": "10.0.0.1", "exactly": ["10.0.0.1"]}`:                                 "is no name",
		`{"name": "::1", "exactly": ["10.0.0.1"]}`:                                      "is no name",
		`{"name": "http://h/", "exactly": ["10.0.0.1"]}`:                                "is no name",
		`{"name": "a..b", "exactly": ["10.0.0.1"]}`:                                     "is no name",
		`{"name": "a b", "exactly": ["10.0.0.1"]}`:                                      "is no name",
		`{"name": "h", "exactly": ["fd00::1"]}`:                                         "no IPv4 address",
		`{"name": "h", "exactly": ["10.0.0.256"]}`:                                      "no IPv4 address",
		`{"name": "h", "record": "AAAA", "exactly": ["10.0.0.1"]}`:                      "no IPv6 address",
		`{"name": "h", "record": "AAAA", "exactly": ["fe80::1%eth0"]}`:                  "no IPv6 address",
		`{"name": "h", "record": "CNAME", "exactly": ["10.0.0.1"], "server": "h:53"}`:   "of which a CNAME record is",
		`{"name": "h", "exactly": ["10.0.0.1"], "server": "10.0.0.10"}`:                 "no host:port",
		`{"name": "h", "exactly": ["10.0.0.1"], "server": ":53"}`:                       "no host:port",
		`{"name": "h", "exactly": ["10.0.0.1"], "server": "10.0.0.10:70000"}`:           "no host:port",
		`{"name": "h", "exactly": ["10.0.0.1"], "timeout": "3m"}`:                       "no duration",
		`{"name": "h", "exactly": ["10.0.0.1"], "timeout": "0s"}`:                       "no duration",
		`{"name": "h", "exactly": ["10.0.0.1"]} {}`:                                     "more than one",
		`{"name": "` + strings.Repeat("a", 64) + `", "exactly": ["10.0.0.1"]}`:          "is no name",
		`{"name": "` + strings.Repeat("a.", 127) + `", "exactly": ["10.0.0.1"]}`:        "", // 253 without the last dot
	} {
		check, err := dns.NewProbe(rand.Reader).Probe(t.Context(), engine.Target{}, json.RawMessage(params))
		if says == "" && err != nil || says != "" && (remediators.ClassOf(err) != engine.ClassTerminal || check.OK || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %+v, %v; want %q", params, check, err, says)
		}
		// What a name, an address and a duration are, a schema does not say.
		if json.Valid([]byte(params)) && !strings.Contains(says, "no ") && !strings.Contains(says, "of which") && remediatortest.Accepts(t, schema, params) != (says == "") {
			t.Errorf("the schema, of %s: not as %v", params, err)
		}
	}
}
