package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// asyncCosmos speaks the protocol of Azure's own long-running operations
// (https://github.com/cloud-and-ai-microsoft/resource-provider-contract), which the
// vendor's fakes have another one for.
type asyncCosmos struct {
	t    *testing.T
	url  string
	ends string // the operation's last status

	mu           sync.Mutex
	posts, looks int
}

func (c *asyncCosmos) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case r.Method == http.MethodPost:
		c.posts++
		w.Header().Set("Azure-AsyncOperation", c.url+"/operations/1?api-version="+cosmosDBVersion)
		w.Header().Set("Location", c.url+"/results/1?api-version="+cosmosDBVersion)
		w.WriteHeader(http.StatusAccepted)
	case r.URL.Path == "/operations/1":
		c.looks++
		switch c.looks {
		case 1:
			refusal(http.StatusTooManyRequests, "TooManyRequests", "slow down", "Retry-After-Ms", "1")(w, r)
		case 2, 3:
			reply(http.StatusOK, `{"status": "InProgress"}`, "Retry-After-Ms", "1")(w, r)
		default:
			reply(http.StatusOK, fmt.Sprintf(`{"status": %q, "error": {"code": "ServiceUnavailable", "message": "region is out of reach"}}`, c.ends))(w, r)
		}
	case r.URL.Path == "/results/1":
		reply(http.StatusOK, `{}`)(w, r)
	default:
		order := `{"locationName": "Korea Central", "failoverPriority": 0}, {"locationName": "Japan East", "failoverPriority": 1}`
		reply(http.StatusOK, `{"properties": {"provisioningState": "Succeeded", "failoverPolicies": [`+order+`]}}`)(w, r)
	}
}

func TestAzuresOwnOperations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ends   string
		killed bool
		class  engine.Class // of Execute's error
		effect engine.Effect
	}{
		{ends: "Succeeded"},
		{ends: "Failed", class: engine.ClassUnknown},
		{ends: "Succeeded", killed: true, class: engine.ClassUnknown, effect: engine.Applied},
		{ends: "Failed", killed: true, class: engine.ClassUnknown, effect: engine.Unknown},
		{ends: "Canceled", killed: true, class: engine.ClassUnknown, effect: engine.Unknown},
	} {
		t.Run(fmt.Sprintf("%s, killed %t", c.ends, c.killed), func(t *testing.T) {
			t.Parallel()
			azure := &asyncCosmos{t: t, ends: c.ends}
			server := httptest.NewServer(azure)
			t.Cleanup(server.Close)
			azure.url = server.URL
			open := func() *CosmosDBFailover {
				return NewCosmosDBFailover(Accounts{"default": accountAt(t, remediatortest.End{URL: server.URL})})
			}
			task := engine.Task{ID: "t", Target: resource(cosmosPath("c")), Params: json.RawMessage(`{"primary": "Japan East"}`)}
			p, err := open().Plan(t.Context(), task)
			if err != nil {
				t.Fatal(err)
			}
			ctx, kill := context.WithCancel(t.Context())
			defer kill()
			var kept json.RawMessage
			_, err = open().Execute(remediators.WithKeeper(ctx, func(k json.RawMessage) error {
				if kept = k; c.killed {
					kill()
				}
				return nil
			}), task, p)
			if c.class == "" && err != nil || c.class != "" && remediators.ClassOf(err) != c.class || kept == nil {
				t.Errorf("%v, kept %s", err, kept)
			}
			if c.killed {
				effect, err := open().Observe(remediators.WithCheckpoint(t.Context(), kept), task, p)
				if effect != c.effect || err != nil {
					t.Errorf("%s, %v; want %s", effect, err, c.effect)
				}
			}
			if azure.posts != 1 {
				t.Errorf("%d changes", azure.posts)
			}
		})
	}
}
