package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tripgen/paramedic/internal/web/api"
)

// QuarantineFilter narrows a list of the quarantine; the zero value is the server's
// default.
type QuarantineFilter struct {
	Source string
	// Newest lists the newest first. Otherwise it is the oldest.
	Newest bool
	// After is the Next of the page before.
	After uint64
	Limit int
}

// Quarantine lists what is in quarantine.
func (c *Client) Quarantine(ctx context.Context, f QuarantineFilter) (api.QuarantineList, error) {
	q := url.Values{}
	if f.Source != "" {
		q.Set("source", f.Source)
	}
	if f.Newest {
		q.Set("order", "newest")
	}
	if f.After != 0 {
		q.Set("after", strconv.FormatUint(f.After, 10))
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	var out api.QuarantineList
	err := c.call(ctx, http.MethodGet, "quarantine", q, nil, &out)
	return out, err
}

// Quarantined returns what is known of a body in quarantine.
func (c *Client) Quarantined(ctx context.Context, id string) (api.QuarantineDetail, error) {
	var out api.QuarantineDetail
	err := c.call(ctx, http.MethodGet, "quarantine/"+url.PathEscape(id), nil, nil, &out)
	return out, err
}

// QuarantinedBody returns the body itself, byte for byte.
func (c *Client) QuarantinedBody(ctx context.Context, id string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.request(ctx, http.MethodGet, "quarantine/"+url.PathEscape(id)+"/body", nil, nil, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // it is read to its end, or not wanted
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer+1))
	if err == nil && len(body) > mostAnswer {
		err = fmt.Errorf("it has more than %d bytes", mostAnswer)
	}
	if err != nil {
		return nil, fmt.Errorf("the body of %s cannot be read: %w", id, err)
	}
	return body, nil
}

// TryQuarantined says what a replay would do now, and changes nothing.
func (c *Client) TryQuarantined(ctx context.Context, id string) (api.ReplayedEntry, error) {
	var out api.ReplayedEntry
	err := c.call(ctx, http.MethodGet, "quarantine/"+url.PathEscape(id)+"/try", nil, nil, &out)
	return out, err
}

// ReplayQuarantined replays what in names, in as many requests as it takes, and
// calls take with what became of each, in order. It ends with the first error.
func (c *Client) ReplayQuarantined(ctx context.Context, in api.ReplayRequest, take func(api.ReplayedEntry) error) error {
	for {
		var out api.Replay
		if err := c.call(ctx, http.MethodPost, "quarantine/replay", nil, in, &out); err != nil {
			return err
		}
		for _, e := range out.Entries {
			if err := take(e); err != nil {
				return err
			}
		}
		if out.Next == 0 {
			return nil
		}
		if out.Next <= in.After {
			return fmt.Errorf("the server goes on at %d, behind %d: the replay does not come to an end", out.Next, in.After)
		}
		in.After, in.Stopped = out.Next, out.Stopped
	}
}

// DropQuarantined drops exactly these bodies.
func (c *Client) DropQuarantined(ctx context.Context, reason string, ids ...string) (api.Dropped, error) {
	var out api.Dropped
	err := c.call(ctx, http.MethodPost, "quarantine/drop", nil, api.DropRequest{IDs: ids, Reason: reason}, &out)
	return out, err
}
