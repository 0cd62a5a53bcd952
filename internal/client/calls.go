package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tripgen/paramedic/internal/web/api"
)

// Filter narrows a list of runs; the zero value is the server's default.
type Filter struct {
	// State is active, ended or all.
	State string
	Rule  string
	// Outcome is how the run ended.
	Outcome string
	Limit   int
}

// Runs lists runs, the newest first.
func (c *Client) Runs(ctx context.Context, f Filter) (api.Runs, error) {
	q := url.Values{}
	for name, value := range map[string]string{"state": f.State, "rule": f.Rule, "outcome": f.Outcome} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	var out api.Runs
	err := c.call(ctx, http.MethodGet, "runs", q, nil, &out)
	return out, err
}

// Run returns a run with its timeline.
func (c *Client) Run(ctx context.Context, id string) (api.RunDetail, error) {
	var out api.RunDetail
	err := c.call(ctx, http.MethodGet, "runs/"+url.PathEscape(id), nil, nil, &out)
	return out, err
}

// Approve agrees to the plan with this digest.
func (c *Client) Approve(ctx context.Context, id, plan string) (api.Commanded, error) {
	return c.command(ctx, id, "approve", api.CommandRequest{Plan: plan})
}

// Deny says no to the plan that waits.
func (c *Client) Deny(ctx context.Context, id, reason string) (api.Commanded, error) {
	return c.command(ctx, id, "deny", api.CommandRequest{Reason: reason})
}

// Cancel ends a run.
func (c *Client) Cancel(ctx context.Context, id, reason string) (api.Commanded, error) {
	return c.command(ctx, id, "cancel", api.CommandRequest{Reason: reason})
}

func (c *Client) command(ctx context.Context, id, verb string, in api.CommandRequest) (api.Commanded, error) {
	var out api.Commanded
	err := c.call(ctx, http.MethodPost, "runs/"+url.PathEscape(id)+"/"+verb, nil, in, &out)
	return out, err
}

// Pauses lists the paused scopes.
func (c *Client) Pauses(ctx context.Context) (api.Pauses, error) {
	var out api.Pauses
	err := c.call(ctx, http.MethodGet, "pauses", nil, nil, &out)
	return out, err
}

// Pause stops everything in a scope.
func (c *Client) Pause(ctx context.Context, scope, reason string) (api.Switched, error) {
	var out api.Switched
	err := c.call(ctx, http.MethodPost, "pauses", nil, api.PauseRequest{Scope: scope, Reason: reason}, &out)
	return out, err
}

// Resume lets a scope go on.
func (c *Client) Resume(ctx context.Context, scope string) (api.Switched, error) {
	var out api.Switched
	err := c.call(ctx, http.MethodDelete, "pauses", url.Values{"scope": {scope}}, nil, &out)
	return out, err
}
