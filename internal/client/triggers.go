package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/tripgen/paramedic/internal/web/api"
)

// Trigger sets off a rule that a person can set off.
func (c *Client) Trigger(ctx context.Context, rule string, labels map[string]string, reason string) (api.Triggered, error) {
	var out api.Triggered
	err := c.call(ctx, http.MethodPost, "triggers/"+url.PathEscape(rule), nil, api.TriggerRequest{Labels: labels, Reason: reason}, &out)
	return out, err
}
