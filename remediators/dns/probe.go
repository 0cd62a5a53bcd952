// Package dns holds the prober that asks the DNS whether a name has the addresses,
// or is the alias, that are expected, as after a failover.
//
// For addresses it asks by the standard library's own resolver, never by the C
// library's: it follows aliases, asks again over TCP where an answer was cut, and
// takes the hosts file before any server. For an alias it asks the server itself.
//
// Everything is safe for concurrent use. The tests run against local DNS servers.
package dns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
)

const kind = "dns"

// Probe asks for a name.
type Probe struct {
	dialer net.Dialer
	random io.Reader
}

// NewProbe makes the prober; random is what the ids of questions come from, and must
// be safe for concurrent use.
func NewProbe(random io.Reader) *Probe { return &Probe{random: random} }

// Spec implements [verify.Prober].
func (*Probe) Spec() verify.Spec {
	return verify.Spec{
		Kind:    kind,
		Summary: "A name has exactly, or at least, the addresses that are expected, or is the alias of another.",
		Params:  json.RawMessage(schema),
	}
}

// Probe implements [verify.Prober]. A name that is not there is not as expected, and
// neither is one that no server answers for.
func (p *Probe) Probe(ctx context.Context, _ engine.Target, raw json.RawMessage) (engine.Check, error) {
	check := engine.Check{Kind: kind}
	params, err := paramsOf(raw)
	if err != nil {
		return check, remediators.Terminal("parameters of %s: %w", kind, err)
	}
	ctx, cancel := context.WithTimeout(ctx, params.timeout)
	defer cancel()
	got, err := p.lookUp(ctx, params)
	asked := params.Name + " " + params.Record
	if params.Server != "" {
		asked += " at " + params.Server
	}
	switch {
	case err != nil:
		check.Detail = fmt.Sprintf("%s: %v", asked, err)
	case params.holds(got):
		check.OK, check.Detail = true, fmt.Sprintf("%s is %s", asked, brief(got))
	case len(params.AtLeast) > 0:
		check.Detail = fmt.Sprintf("%s is %s, want at least %s", asked, brief(got), brief(params.want))
	default:
		check.Detail = fmt.Sprintf("%s is %s, want exactly %s", asked, brief(got), brief(params.want))
	}
	return check, nil
}

// resolver asks the server, or those of the system if it is empty.
func (p *Probe) resolver(server string) *net.Resolver {
	r := &net.Resolver{PreferGo: true, StrictErrors: true}
	if server != "" {
		r.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return p.dialer.DialContext(ctx, network, server)
		}
	}
	return r
}

// lookUp is the whole answer, sorted.
func (p *Probe) lookUp(ctx context.Context, params params) ([]string, error) {
	name := plain(params.Name) + "." // so that no search domain is tried
	if params.Record == recordCNAME {
		alias, err := p.alias(ctx, params.Server, name)
		return []string{plain(alias)}, err
	}
	network := "ip4"
	if params.Record == recordAAAA {
		network = "ip6"
	}
	addresses, err := p.resolver(params.Server).LookupNetIP(ctx, network, name)
	if err != nil {
		return nil, inWords(err)
	}
	got := make([]string, 0, len(addresses))
	for _, a := range addresses {
		got = append(got, a.Unmap().String())
	}
	return sorted(got), nil
}

var errNoAnswer = errors.New("no answer in time")

// inWords leaves out the resolver's idea of the server, which is that of the system's
// configuration even where another is asked.
func inWords(err error) error {
	e, ok := errors.AsType[*net.DNSError](err)
	switch {
	case !ok:
		return err
	case e.IsNotFound:
		return errNoRecord
	case e.IsTimeout:
		return errNoAnswer
	}
	return errors.New(e.Err)
}

// holds says that the answer is as expected.
func (p params) holds(got []string) bool {
	if len(p.AtLeast) == 0 {
		return slices.Equal(got, p.want)
	}
	return !slices.ContainsFunc(p.want, func(w string) bool { return !slices.Contains(got, w) })
}

// mostShown is how many answers are named.
const mostShown = 8

func brief(all []string) string {
	if n := len(all) - mostShown; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:mostShown], ", "), n)
	}
	return strings.Join(all, ", ")
}
