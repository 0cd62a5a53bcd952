package azure

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

const (
	// activityBack is how far back the activity log is searched: longer than a task is
	// in doubt.
	activityBack    = 2 * time.Hour
	activityVersion = "2015-04-01"
)

// activity asks Azure's activity log what became of a task's request
// (https://learn.microsoft.com/rest/api/monitor/activity-logs/list). Events come there
// minutes late, so that none is no answer; nor is a failure, which may have come
// half-way.
func (p place) activity(ctx context.Context, task string) engine.Effect {
	var log struct {
		Value []struct {
			HTTPRequest struct {
				ClientRequestID string `json:"clientRequestId"`
			} `json:"httpRequest"`
			Status struct {
				Value string `json:"value"`
			} `json:"status"`
		} `json:"value"`
	}
	since := p.now().Add(-activityBack).UTC().Format(time.RFC3339)
	query := url.Values{"$filter": {"eventTimestamp ge '" + since + "' and resourceGroupName eq '" + p.id.ResourceGroupName + "'"}}
	path := "/subscriptions/" + p.subscription + "/providers/Microsoft.Insights/eventtypes/management/values"
	if err := p.get(ctx, "the activity log", path, activityVersion, query, &log); err != nil {
		return engine.Unknown // it is a help where it can be read, and nothing else is to be had
	}
	for _, event := range log.Value {
		if strings.EqualFold(event.HTTPRequest.ClientRequestID, requestID(task)) && strings.EqualFold(event.Status.Value, "Succeeded") {
			return engine.Applied
		}
	}
	return engine.Unknown
}
