package azure

import (
	"net/http"
	"strings"
)

const (
	activityPath    = "/subscriptions/" + Subscription + "/providers/Microsoft.Insights/eventtypes/management/values"
	activityVersion = "2015-04-01"
)

// PromptLog lets the activity log tell of changes at once. By itself it is empty: Azure's is minutes late.
func (c *Cloud) PromptLog() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prompt = true
}

// activity answers who asks for the activity log.
func (c *Cloud) activity(r *http.Request) (answer, bool) {
	if !strings.EqualFold(r.URL.Path, activityPath) {
		return answer{}, false
	}
	switch q := r.URL.Query(); {
	case r.Header.Get("Authorization") != "Bearer "+c.token:
		return c.strange(r, strangef("the token is none of ours")), true
	case r.Method != http.MethodGet, q.Get("api-version") != activityVersion, !strings.Contains(q.Get("$filter"), "eventTimestamp ge '"):
		return c.strange(r, strangef("the activity log is asked for by GET in version %s, since some time", activityVersion)), true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	events := []any{}
	for _, each := range c.changes {
		if c.prompt && each.Made {
			events = append(events, map[string]any{
				"httpRequest": map[string]any{"clientRequestId": each.RequestID}, "status": map[string]any{"value": succeeded},
			})
		}
	}
	return answer{status: http.StatusOK, body: map[string]any{"value": events}}, true
}
