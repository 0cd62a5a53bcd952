package azure

import (
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// record is an A record set of a zone of Azure DNS.
type record struct {
	name      string
	addresses []string
	ttl       int
	metadata  map[string]string
	writes    int
}

// AddRecord makes a zone with one A record set in it, and returns the zone's id.
func (c *Cloud) AddRecord(zone, name string, ttl int, addresses ...string) string {
	id := "Microsoft.Network/dnsZones/" + zone
	full := c.add(id+"/A/"+name, &record{name: name, addresses: addresses, ttl: ttl})
	return strings.TrimSuffix(full, "/A/"+name)
}

// Addresses are those of an A record set.
func (c *Cloud) Addresses(zone, name string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.resources[strings.ToLower(group+"/providers/Microsoft.Network/dnsZones/"+zone+"/A/"+name)].(*record)
	if !ok {
		return nil
	}
	return slices.Clone(r.addresses)
}

func (*record) version() string { return "2018-05-01" }

func (r *record) etag() string { return fmt.Sprintf("%08x-0000-4000-8000-000000000000", r.writes+1) }

func (r *record) serve(q request) (answer, *change, error) {
	switch {
	case q.rest != "":
		return answer{}, nil, strangef("a record set has no %q", q.rest)
	case q.method == http.MethodGet:
		return answer{status: http.StatusOK, body: r.shown()}, nil, nil
	case q.method != http.MethodPatch && q.method != http.MethodPut:
		return answer{}, nil, strangef("a record set knows no %s", q.method)
	case q.ifMatch == "":
		// Azure takes it, and would write over whatever is there: nobody here may rely on that.
		return answer{}, nil, strangef("a record set is written without If-Match")
	}
	var asked struct {
		Properties struct {
			Metadata map[string]string `json:"metadata"`
			TTL      int               `json:"TTL"`
			Records  []struct {
				Address string `json:"ipv4Address"`
			} `json:"ARecords"`
		} `json:"properties"`
	}
	if err := decode(q.body, &asked); err != nil {
		return answer{}, nil, err
	}
	to := asked.Properties
	var addresses []string
	for _, a := range to.Records {
		if ip, err := netip.ParseAddr(a.Address); err != nil || !ip.Is4() {
			return answer{}, nil, strangef("%q is no IPv4 address", a.Address)
		}
		addresses = append(addresses, a.Address)
	}
	if len(addresses) == 0 || to.TTL < 1 {
		return answer{}, nil, strangef("a record set of %d addresses with ttl %d", len(addresses), to.TTL)
	}
	return answer{}, &change{kind: RecordChange, apply: func(Fault) (answer, bool) {
		if q.ifMatch != r.etag() {
			return refusal(http.StatusPreconditionFailed, "PreconditionFailed", "The condition '%s' in the If-Match header was not satisfied.", q.ifMatch), false
		}
		r.addresses, r.ttl, r.metadata = addresses, to.TTL, maps.Clone(to.Metadata)
		r.writes++
		return answer{status: http.StatusOK, body: r.shown()}, true
	}}, nil
}

func (r *record) shown() map[string]any {
	records := []any{}
	for _, a := range r.addresses {
		records = append(records, map[string]any{"ipv4Address": a})
	}
	return map[string]any{"name": r.name, "type": "Microsoft.Network/dnszones/A", "etag": r.etag(), "properties": map[string]any{
		"metadata": r.metadata, "TTL": r.ttl, "ARecords": records, "provisioningState": succeeded,
	}}
}
