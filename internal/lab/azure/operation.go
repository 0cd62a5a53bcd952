package azure

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// operation is a change that was accepted and ends in its own time.
type operation struct {
	url, version string
	until        time.Time
	ends         string
	// then makes the change, once.
	then func()
	// fault is what happens when it is followed, once.
	fault Fault
}

const operations = "/subscriptions/" + Subscription + "/providers/Microsoft.DocumentDB/locations/koreacentral/"

// begin accepts a change. The lock is held.
func (c *Cloud) begin(version string, f Fault, then func()) *operation {
	ends := f.Ends
	if ends == "" {
		ends = succeeded
	}
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", len(c.operations)+1)
	o := &operation{
		url: c.url + operations + "%s/" + id + "?api-version=" + version, version: version,
		until: time.Now().Add(operationTakes), ends: ends, then: then, fault: f,
	}
	c.operations[id] = o
	return o
}

func (o *operation) status() string {
	if time.Now().Before(o.until) {
		return inProgress
	}
	if o.then != nil && o.ends == succeeded {
		o.then()
	}
	o.then = nil
	return o.ends
}

// accepted is the answer that begins it.
func (o *operation) accepted() answer {
	return answer{status: http.StatusAccepted, header: map[string]string{
		"Azure-AsyncOperation": fmt.Sprintf(o.url, "operationsStatus"), "Location": fmt.Sprintf(o.url, "operationResults"), "Retry-After": "1",
	}}
}

// followed answers who asks for the end of an operation.
func (c *Cloud) followed(r *http.Request) (answer, bool) {
	rest, ok := strings.CutPrefix(r.URL.Path, operations)
	if !ok {
		return answer{}, false
	}
	kind, id, _ := strings.Cut(rest, "/")
	c.mu.Lock()
	o := c.operations[id]
	status := ""
	var fault Fault
	if o != nil {
		status, fault, o.fault = o.status(), o.fault, Fault{}
	}
	c.mu.Unlock()
	fault.happens(Followed)
	switch {
	case r.Header.Get("Authorization") != "Bearer "+c.token:
		return c.strange(r, strangef("the token is none of ours")), true
	case o == nil:
		return refusal(http.StatusNotFound, "NotFound", "there is no operation %s", id), true
	case r.Method != http.MethodGet || r.URL.Query().Get("api-version") != o.version:
		return c.strange(r, strangef("an operation is asked for by GET in version %s", o.version)), true
	case kind == "operationResults" && status == inProgress:
		return answer{status: http.StatusAccepted, header: map[string]string{"Retry-After": "1"}}, true
	case kind == "operationResults":
		return answer{status: http.StatusNoContent}, true
	}
	body := map[string]any{"status": status}
	if status != inProgress && status != succeeded {
		body["error"] = map[string]any{"code": "RegionUnavailable", "message": "The operation did not succeed."}
	}
	return answer{status: http.StatusOK, header: map[string]string{"Retry-After": "1"}, body: body}, true
}
