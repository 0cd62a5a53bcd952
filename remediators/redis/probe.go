package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
)

// Probe asks a Redis how it is.
type Probe struct{ instances Instances }

// NewProbe makes the prober.
func NewProbe(instances Instances) *Probe { return &Probe{instances} }

const (
	probeKind           = "redis"
	defaultProbeTimeout = 5 * time.Second
	maxProbeTimeout     = time.Minute
)

const probeSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "ping": {"const": true, "description": "It answers PING, which is asked in any case."},
    "role": {"enum": ["primary", "replica"], "description": "What it must be."},
    "link": {"const": "up", "description": "It is a replica whose link to its primary is up."},
    "maxLag": {"type": "integer", "minimum": 0, "description": "It is a replica that lacks so many bytes of its primary's stream at most; the primary is asked, too."},
    "maxLinkDown": {"type": "string", "description": "It is a replica whose link to its primary is up, or down for so long at most: then maxLag is not asked for."},
    "timeout": {"type": "string", "default": "5s", "description": "For all answers together, up to 1m."}
  }
}`

// Spec implements [verify.Prober].
func (*Probe) Spec() verify.Spec {
	return verify.Spec{
		Kind:    probeKind,
		System:  engine.SystemRedis,
		Summary: "A Redis answers, has the role that it should have, and is in step.",
		Params:  json.RawMessage(probeSchema),
	}
}

type probeParams struct {
	Ping        *bool  `json:"ping"`
	Role        string `json:"role"`
	Link        string `json:"link"`
	MaxLag      *int64 `json:"maxLag"`
	MaxLinkDown string `json:"maxLinkDown"`
	Timeout     string `json:"timeout"`

	maxLinkDown time.Duration
}

func (p probeParams) timeout() (time.Duration, error) {
	if p.Timeout == "" {
		return defaultProbeTimeout, nil
	}
	d, err := time.ParseDuration(p.Timeout)
	if err != nil || d <= 0 || d > maxProbeTimeout {
		return 0, fmt.Errorf("timeout: %q is no duration above 0 and up to %v", p.Timeout, maxProbeTimeout)
	}
	return d, nil
}

func (p *probeParams) check() (err error) {
	if p.MaxLinkDown != "" {
		if p.maxLinkDown, err = time.ParseDuration(p.MaxLinkDown); err != nil || p.maxLinkDown <= 0 {
			return fmt.Errorf("maxLinkDown: %q is no duration above 0, as 15m", p.MaxLinkDown)
		}
	}
	switch {
	case p.Ping != nil && !*p.Ping:
		return errors.New("ping: false asks nothing: leave it out")
	case p.Role != "" && p.Role != "primary" && p.Role != "replica":
		return fmt.Errorf("role: %q is neither primary nor replica", p.Role)
	case p.Link != "" && p.Link != "up":
		return fmt.Errorf("link: %q: want up", p.Link)
	case p.Role == "primary" && (p.Link != "" || p.MaxLag != nil || p.MaxLinkDown != ""):
		return errors.New("link, maxLag and maxLinkDown are of a replica")
	case p.Link != "" && p.MaxLinkDown != "":
		return errors.New("link: up leaves no time for maxLinkDown: write one of them")
	case p.MaxLag != nil && *p.MaxLag < 0:
		return fmt.Errorf("maxLag: %d is below 0", *p.MaxLag)
	}
	return nil
}

// Probe implements [verify.Prober]. A server that cannot be reached is not well; of
// sentinels and a cluster, it is their primaries that are asked.
func (p *Probe) Probe(ctx context.Context, target engine.Target, raw json.RawMessage) (engine.Check, error) {
	check := engine.Check{Kind: probeKind}
	var params probeParams
	if err := decode(engine.Task{Action: probeKind, Params: raw}, &params); err != nil {
		return check, err
	}
	timeout, err := params.timeout()
	if err = errors.Join(err, params.check()); err != nil {
		return check, remediators.Terminal("parameters of redis: %w", err)
	}
	i, err := p.instances.find(target)
	if err != nil {
		return check, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	addresses, err := i.addresses(ctx)
	if err != nil {
		check.Detail = err.Error()
		return check, nil
	}
	for _, address := range addresses {
		said, err := params.ask(ctx, i, address)
		if err != nil {
			check.Detail = err.Error()
			return check, nil
		}
		if check.Detail != "" {
			check.Detail += "; "
		}
		check.Detail += said
	}
	check.OK = true
	return check, nil
}

// ask says how one server is, or what is wrong with it.
func (p probeParams) ask(ctx context.Context, i *Instance, address string) (string, error) {
	s, err := i.open(address)
	if err != nil {
		return "", err
	}
	defer closed(s)
	if err := s.Ping(ctx).Err(); err != nil {
		return "", failed(address, err, false)
	}
	if p.Role == "" && p.Link == "" && p.MaxLag == nil && p.MaxLinkDown == "" {
		return "redis " + address + " answers", nil
	}
	now, err := s.state(ctx)
	if err != nil {
		return "", err
	}
	said := fmt.Sprintf("redis %s is %s", address, now)
	switch {
	case p.Role == "primary" && !now.primary(), p.Role != "primary" && now.primary(), p.Link != "" && !now.linked():
		return "", errors.New(said)
	case p.MaxLinkDown != "" && !now.linked():
		return p.unlinked(now, said)
	case p.MaxLag == nil:
		return said, nil
	}
	lag, err := i.lag(ctx, now)
	if err != nil {
		return "", fmt.Errorf("%s; how far it is behind is not known: %w", said, err)
	}
	said += fmt.Sprintf(", %d bytes behind", lag)
	if lag > *p.MaxLag {
		return "", errors.New(said)
	}
	return said, nil
}

// unlinked judges a replica that is without its primary by for how long it is.
func (p probeParams) unlinked(now state, said string) (string, error) {
	down, err := now.number("master_link_down_since_seconds")
	if err != nil {
		return "", fmt.Errorf("%s; since when is not known: %w", said, err)
	}
	if down < 0 {
		return "", fmt.Errorf("%s, and has never been in step since it was started", said)
	}
	said += fmt.Sprintf(" for %v", time.Duration(down)*time.Second)
	if time.Duration(down)*time.Second > p.maxLinkDown {
		return "", errors.New(said)
	}
	return said, nil
}

// lag is how many bytes of its primary's stream a replica lacks.
func (i *Instance) lag(ctx context.Context, now state) (int64, error) {
	has, err := now.offset()
	if err != nil {
		return 0, err
	}
	primary, err := i.open(now.master())
	if err != nil {
		return 0, err
	}
	defer closed(primary)
	there, err := primary.state(ctx)
	if err != nil {
		return 0, err
	}
	if there["master_replid"] != now["master_replid"] {
		return 0, errors.New("they do not have the same stream")
	}
	wants, err := there.offset()
	return max(wants-has, 0), err
}
