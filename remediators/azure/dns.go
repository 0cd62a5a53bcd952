package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// DNSRecord changes the addresses of an A record of an Azure DNS zone, public or
// private. The rule's target is the zone, or the record set itself; the canonical one
// is the record set.
//
// Azure compares the ETag before it writes, and the record's metadata tell which tasks
// wrote it, so what was sent late or twice is refused.
type DNSRecord struct {
	setter
	zones zones
}

// NewDNSRecord makes the action for public zones.
func NewDNSRecord(accounts Accounts) *DNSRecord { return newDNSRecord(accounts, publicZones{}) }

// NewPrivateDNSRecord makes the action for private zones.
func NewPrivateDNSRecord(accounts Accounts) *DNSRecord { return newDNSRecord(accounts, privateZones{}) }

func newDNSRecord(accounts Accounts, z zones) *DNSRecord {
	return &DNSRecord{setter: setter{
		accounts: accounts,
		kinds:    []string{z.kind() + "/A"},
		fenced:   true,
		open:     func(at place, _ string) setting { return recordSetting{at: at, zones: z} },
	}, zones: z}
}

// zones are Azure's two services for DNS, which differ in the types of their SDK.
type zones interface {
	// kind is the type of a zone; name and about are the action's.
	kind() string
	name() string
	about() string
	// get and patch name a record set by its group, zone and name; the errors are the
	// SDK's. A patch is refused unless the ETag is what the record set has.
	get(ctx context.Context, a *Account, group, zone, name string) (recordSet, error)
	patch(ctx context.Context, a *Account, group, zone, name string, to recordSet) error
}

// recordSet is an A record set as far as it is looked at.
type recordSet struct {
	etag     string
	value    record
	metadata map[string]*string
	// fixed says why its addresses are not for anybody to set.
	fixed string
}

// record is what the action sets.
type record struct {
	Addresses []string `json:"addresses"`
	TTL       int64    `json:"ttl"`
}

func (r record) String() string {
	return fmt.Sprintf("%s (ttl %d)", strings.Join(r.Addresses, ", "), r.TTL)
}

const recordSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["name", "addresses"],
  "properties": {
    "name": {"type": "string", "minLength": 1, "description": "The A record's name in its zone; @ for the zone's own. The record must exist."},
    "addresses": {"type": "array", "minItems": 1, "maxItems": 20, "uniqueItems": true, "items": {"type": "string", "format": "ipv4"}, "description": "All IPv4 addresses that it is to have."},
    "ttl": {"type": "integer", "minimum": 1, "maximum": 2147483647, "description": "In seconds; by default it stays as it is."}
  }
}`

type recordParams struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"`
	TTL       *int64   `json:"ttl"`
}

const maxAddresses = 20

func recordParamsOf(t engine.Task) (recordParams, error) {
	var p recordParams
	if err := decodeParams(t, &p); err != nil {
		return p, err
	}
	switch {
	case p.Name == "":
		return p, badParams(t, "name is missing: want that of an A record, or @")
	case len(p.Addresses) == 0 || len(p.Addresses) > maxAddresses:
		return p, badParams(t, "there are %d addresses: want 1 to %d", len(p.Addresses), maxAddresses)
	case p.TTL != nil && (*p.TTL < 1 || *p.TTL >= 1<<31):
		return p, badParams(t, "ttl is %d: want 1 to %d seconds", *p.TTL, 1<<31-1)
	}
	for i, text := range p.Addresses {
		if ip, err := netip.ParseAddr(text); err != nil || !ip.Is4() || ip.IsUnspecified() {
			return p, badParams(t, "addresses: %q is no IPv4 address", text)
		}
		if slices.Contains(p.Addresses[:i], text) {
			return p, badParams(t, "addresses: %s is given twice", text)
		}
	}
	slices.Sort(p.Addresses) // their order means nothing
	return p, nil
}

// Spec implements [remediators.Remediator].
func (d *DNSRecord) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    d.zones.name(),
		System:  engine.SystemAzure,
		Summary: "Changes the addresses of an A record " + d.zones.about() + ".",
		Params:  json.RawMessage(recordSchema),
		Fenced:  true,
	}
}

// Plan implements [remediators.Remediator].
func (d *DNSRecord) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	params, err := recordParamsOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	at, err := d.at(t, params.Name)
	if err != nil {
		return engine.Plan{}, err
	}
	target := recordSetting{at: at, zones: d.zones}
	is, err := target.get(ctx)
	if err != nil {
		return engine.Plan{}, err
	}
	if is.fixed != "" {
		return engine.Plan{}, remediators.Terminal("azure: %s: %s", target, is.fixed)
	}
	to := record{Addresses: params.Addresses, TTL: is.value.TTL}
	if params.TTL != nil {
		to.TTL = *params.TTL
	}
	seen, err := is.state()
	if err != nil {
		return engine.Plan{}, err
	}
	wanted, err := json.Marshal(to)
	if err != nil {
		return engine.Plan{}, remediators.Terminal("azure: %s: %w", target, err)
	}
	p := engine.Plan{
		Target:  at.target(),
		Summary: fmt.Sprintf("set %s to %s, instead of %s", target, to, is.value),
	}
	if !slices.Equal(to.Addresses, is.value.Addresses) {
		p.Changes = append(p.Changes, engine.Change{Field: "ARecords", From: strings.Join(is.value.Addresses, ", "), To: strings.Join(to.Addresses, ", ")})
	}
	if to.TTL != is.value.TTL {
		p.Changes = append(p.Changes, engine.Change{Field: "TTL", From: strconv.FormatInt(is.value.TTL, 10), To: strconv.FormatInt(to.TTL, 10)})
	}
	if len(p.Changes) == 0 {
		p.Summary = fmt.Sprintf("%s is %s already", target, is.value)
	}
	return d.plan(t, p, intent{From: seen, To: wanted, Done: fmt.Sprintf("set %s to %s, instead of %s", target, to, is.value)})
}

// at is the record set that a task is about: the target itself, or the one of that
// name in it.
func (d *DNSRecord) at(t engine.Task, name string) (place, error) {
	at, err := d.accounts.at(t.Target, d.zones.kind(), d.zones.kind()+"/A")
	if err != nil {
		return at, err
	}
	if strings.EqualFold(at.id.ResourceType.String(), d.zones.kind()) {
		return d.accounts.at(at.target("A", name), d.zones.kind()+"/A")
	}
	if !strings.EqualFold(at.id.Name, name) {
		return at, badParams(t, "name is %q, but the target is the record %s", name, at.id.Name)
	}
	return at, nil
}

// recordSetting is an A record set as something that is set.
type recordSetting struct {
	at    place
	zones zones
}

func (s recordSetting) String() string {
	return "A record " + s.at.id.Name + " of " + s.at.id.Parent.Name + " in " + s.at.name
}

func (s recordSetting) get(ctx context.Context) (recordSet, error) {
	r, err := s.zones.get(ctx, s.at.Account, s.at.id.ResourceGroupName, s.at.id.Parent.Name, s.at.id.Name)
	switch {
	case err != nil:
		return r, s.at.readFailed(ctx, s.String(), err)
	case r.etag == "":
		// Without it Azure would accept the change whatever was there.
		return r, remediators.Retryable(0, "azure: %s: the answer has no ETag", s)
	}
	slices.Sort(r.value.Addresses)
	return r, nil
}

func (s recordSetting) read(ctx context.Context) (state, error) {
	r, err := s.get(ctx)
	if err != nil {
		return state{}, err
	}
	return r.state()
}

func (r recordSet) state() (state, error) {
	s := state{ETag: r.etag, Marks: marksOf(text(r.metadata[markKey]))}
	delete(r.metadata, markKey)
	var errValue, errKeep error
	s.Value, errValue = json.Marshal(r.value)
	s.Keep, errKeep = json.Marshal(r.metadata)
	if err := errors.Join(errValue, errKeep); err != nil {
		return s, remediators.Terminal("azure: record does not encode: %w", err)
	}
	return s, nil
}

// write sends what else the metadata have, too: a patch replaces all of them.
func (s recordSetting) write(ctx context.Context, from state, to json.RawMessage, m marks) (*operation, error) {
	next := recordSet{etag: from.ETag}
	if err := errors.Join(json.Unmarshal(to, &next.value), json.Unmarshal(from.Keep, &next.metadata)); err != nil || len(next.value.Addresses) == 0 {
		return nil, remediators.Terminal("azure: %s: what it is to be, %q: %w", s, to, errors.Join(err, errors.New("want addresses")))
	}
	if next.metadata == nil {
		next.metadata = map[string]*string{}
	}
	next.metadata[markKey] = new(m.text())
	return nil, s.zones.patch(ctx, s.at.Account, s.at.id.ResourceGroupName, s.at.id.Parent.Name, s.at.id.Name, next)
}
