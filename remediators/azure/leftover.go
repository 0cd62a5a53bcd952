package azure

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/tripgen/paramedic/remediators"
)

// disks are managed disks. Azure tells since when nobody has owned one
// (https://learn.microsoft.com/rest/api/compute/disks/get).
type disks struct{}

const diskVersion = "2024-03-02"

func (disks) kind() string    { return "Microsoft.Compute/disks" }
func (disks) version() string { return diskVersion }

type disk struct {
	ID        string            `json:"id"`
	Tags      map[string]string `json:"tags"`
	ManagedBy string            `json:"managedBy"`
	Shared    []string          `json:"managedByExtended"`
	Props     struct {
		State   string    `json:"diskState"`
		Unique  string    `json:"uniqueId"`
		Created time.Time `json:"timeCreated"`
		Owned   time.Time `json:"LastOwnershipUpdateTime"`
	} `json:"properties"`
}

func (d disk) leftover() leftover {
	l := leftover{ID: d.ID, Unique: d.Props.Unique, tags: d.Tags, since: d.Props.Created}
	l.used = d.ManagedBy != "" || len(d.Shared) > 0 || d.Props.State != "Unattached"
	if d.Props.Owned.After(l.since) {
		l.since = d.Props.Owned
	}
	return l
}

func (k disks) list(ctx context.Context, group place) ([]leftover, error) {
	return listed(ctx, group, k, func(raw json.RawMessage) (leftover, error) {
		var d disk
		err := json.Unmarshal(raw, &d)
		return d.leftover(), err
	})
}

func (k disks) one(ctx context.Context, at place) (leftover, error) {
	var d disk
	err := at.get(ctx, "disk "+at.String(), at.path(k.kind()), diskVersion, nil, &d)
	return d.leftover(), err
}

// publicIPs are public IP addresses. Azure does not tell since when nothing has used
// one: taking it off a network interface does not change it. So only those are left over
// that somebody has tagged as such, with the time.
type publicIPs struct{}

const (
	networkVersion = "2024-05-01"
	// unusedTag has the time since when a public IP is unused (RFC 3339).
	unusedTag = "paramedic-unused-since"
)

func (publicIPs) kind() string    { return "Microsoft.Network/publicIPAddresses" }
func (publicIPs) version() string { return networkVersion }

type publicIP struct {
	ID    string            `json:"id"`
	Tags  map[string]string `json:"tags"`
	Props struct {
		Unique        string          `json:"resourceGuid"`
		Configuration json.RawMessage `json:"ipConfiguration"`
		Gateway       json.RawMessage `json:"natGateway"`
		Linked        json.RawMessage `json:"linkedPublicIPAddress"`
		Service       json.RawMessage `json:"servicePublicIPAddress"`
	} `json:"properties"`
}

func (p publicIP) leftover() leftover {
	l := leftover{ID: p.ID, Unique: p.Props.Unique, tags: p.Tags}
	for _, by := range []json.RawMessage{p.Props.Configuration, p.Props.Gateway, p.Props.Linked, p.Props.Service} {
		l.used = l.used || len(by) > 0 && string(by) != "null"
	}
	if since, err := time.Parse(time.RFC3339, p.Tags[unusedTag]); err == nil {
		l.since = since
	}
	return l
}

func (k publicIPs) list(ctx context.Context, group place) ([]leftover, error) {
	return listed(ctx, group, k, func(raw json.RawMessage) (leftover, error) {
		var p publicIP
		err := json.Unmarshal(raw, &p)
		return p.leftover(), err
	})
}

func (k publicIPs) one(ctx context.Context, at place) (leftover, error) {
	var p publicIP
	err := at.get(ctx, "public IP "+at.String(), at.path(k.kind()), networkVersion, nil, &p)
	return p.leftover(), err
}

// listed reads all of a kind in a resource group.
func listed(ctx context.Context, group place, k unusedKind, read func(json.RawMessage) (leftover, error)) ([]leftover, error) {
	var all []leftover
	path := "/subscriptions/" + url.PathEscape(group.id.SubscriptionID) + "/resourceGroups/" + url.PathEscape(group.id.ResourceGroupName) + "/providers/" + k.kind()
	err := group.pages(ctx, k.kind()+" of "+group.String(), path, k.version(), func(raw json.RawMessage) error {
		l, err := read(raw)
		all = append(all, l)
		return err
	})
	return all, err
}

// pages reads a list to its end. A list that is cut would still be safe to delete from,
// and yet not what was asked for; so it is an error, as is a link to somewhere else.
func (p place) pages(ctx context.Context, what, path, version string, each func(json.RawMessage) error) error {
	var query url.Values
	for n := 1; ; n++ {
		var page struct {
			Value []json.RawMessage `json:"value"`
			Next  string            `json:"nextLink"`
		}
		if err := p.get(ctx, what, path, version, query, &page); err != nil {
			return err
		}
		for _, raw := range page.Value {
			if err := each(raw); err != nil {
				return remediators.Retryable(0, "azure: %s: the answer is not as documented: %w", what, err)
			}
		}
		if page.Next == "" {
			return nil
		}
		link, err := url.Parse(page.Next)
		if err != nil || !strings.EqualFold(link.Path, path) || n == maxPages {
			return remediators.Terminal("azure: %s: the link to page %d leads elsewhere, or there are too many pages", what, n+1)
		}
		query = link.Query()
	}
}
