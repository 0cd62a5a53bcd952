package dns

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tripgen/paramedic/remediators"
)

const (
	recordA     = "A"
	recordAAAA  = "AAAA"
	recordCNAME = "CNAME"

	defaultTimeout = 5 * time.Second
	maxTimeout     = 2 * time.Minute
	maxExpected    = 100
)

// params are those of [Probe]; schema says the same to editors and the linter.
type params struct {
	Name    string   `json:"name"`
	Record  string   `json:"record"`
	Exactly []string `json:"exactly"`
	AtLeast []string `json:"atLeast"`
	Server  string   `json:"server"`
	Timeout string   `json:"timeout"`

	// want is what was expected, in the form that answers are brought into.
	want    []string
	timeout time.Duration
}

const schema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["name"],
  "properties": {
    "name": {"type": "string", "minLength": 1, "description": "The whole name, as shop.example.com; no search domain is appended."},
    "record": {"enum": ["A", "AAAA", "CNAME"], "default": "A", "description": "A and AAAA are of the addresses, aliases being followed; CNAME is of the name that it is directly an alias of, and needs a server."},
    "exactly": {"$ref": "#/$defs/answers", "description": "The answer must be these, in any order, and nothing else."},
    "atLeast": {"$ref": "#/$defs/answers", "description": "The answer must have these."},
    "server": {"type": "string", "minLength": 1, "description": "host:port of the DNS server that is asked; the system's if it is not given. Names in this machine's hosts file are answered from there all the same."},
    "timeout": {"type": "string", "default": "5s", "description": "For the answer, up to 2m."}
  },
  "oneOf": [{"required": ["exactly"]}, {"required": ["atLeast"]}],
  "if": {"required": ["record"], "properties": {"record": {"const": "CNAME"}}},
  "then": {"required": ["server"], "properties": {"exactly": {"maxItems": 1}, "atLeast": {"maxItems": 1}}},
  "$defs": {"answers": {"type": "array", "minItems": 1, "maxItems": 100, "items": {"type": "string", "minLength": 1}}}
}`

func paramsOf(raw json.RawMessage) (params, error) {
	p := params{Record: recordA, timeout: defaultTimeout}
	if err := remediators.DecodeParams(raw, &p); err != nil {
		return p, err
	}
	if _, err := netip.ParseAddr(p.Name); err == nil || !isName(p.Name) {
		return p, fmt.Errorf("name: %q is no name, as shop.example.com", p.Name)
	}
	if p.Timeout != "" {
		d, err := time.ParseDuration(p.Timeout)
		if err != nil || d <= 0 || d > maxTimeout {
			return p, fmt.Errorf("timeout: %q is no duration above 0 and up to %v", p.Timeout, maxTimeout)
		}
		p.timeout = d
	}
	if p.Server != "" {
		host, port, err := net.SplitHostPort(p.Server)
		if n, bad := strconv.Atoi(port); err != nil || host == "" || bad != nil || n < 1 || n > 65535 {
			return p, fmt.Errorf("server: %q is no host:port, as 10.0.0.10:53", p.Server)
		}
	}
	if p.Record == recordCNAME && p.Server == "" {
		return p, errors.New("server is missing: a CNAME is asked for at one that is named, as 10.0.0.10:53")
	}
	err := p.expect()
	return p, err
}

// expect brings what is expected into the form of answers.
func (p *params) expect() error {
	field, given := "exactly", p.Exactly
	if len(p.AtLeast) > 0 {
		field, given = "atLeast", p.AtLeast
	}
	switch {
	case (len(p.Exactly) > 0) == (len(p.AtLeast) > 0):
		return errors.New("want exactly one of exactly and atLeast, with the answers that are expected")
	case len(given) > maxExpected:
		return fmt.Errorf("%s: %d are too many, want up to %d", field, len(given), maxExpected)
	case p.Record == recordCNAME && len(given) > 1:
		return fmt.Errorf("%s: a name is an alias of one other: write one", field)
	}
	for _, one := range given {
		form, err := p.form(one)
		if err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		p.want = append(p.want, form)
	}
	p.want = sorted(p.want)
	return nil
}

// form is how an answer of the record's kind is compared.
func (p *params) form(text string) (string, error) {
	a, err := netip.ParseAddr(text)
	switch p.Record {
	case recordA:
		if err != nil || !a.Is4() {
			return "", fmt.Errorf("%q is no IPv4 address, of which an A record is", text)
		}
		return a.String(), nil
	case recordAAAA:
		if err != nil || !a.Is6() || a.Zone() != "" {
			return "", fmt.Errorf("%q is no IPv6 address, of which an AAAA record is", text)
		}
		return a.Unmap().String(), nil
	case recordCNAME:
		if err == nil || !isName(text) {
			return "", fmt.Errorf("%q is no name, of which a CNAME record is", text)
		}
		return plain(text), nil
	}
	return "", fmt.Errorf("record %q is none of A, AAAA and CNAME", p.Record)
}

// isName holds for what can be asked: labels of up to 63 letters, digits, - and _
// (RFC 1035, section 2.3.4; RFC 8552 for the underscore).
func isName(name string) bool {
	name = strings.TrimSuffix(name, ".")
	return len(name) <= 253 && !slices.ContainsFunc(strings.Split(name, "."), func(l string) bool {
		return l == "" || len(l) > 63 || strings.ContainsFunc(l, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		})
	})
}

// plain is a name as it is compared: DNS knows no case, and the last dot is implied.
func plain(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func sorted(all []string) []string {
	slices.Sort(all)
	return slices.Compact(all)
}
