package azure_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	lab "github.com/tripgen/paramedic/internal/lab/azure"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/azure"
)

// world is a cloud and the accounts that reach it, as the program makes them.
type world struct {
	*lab.Cloud
	accounts azure.Accounts
	profile  string
	account  string
	zone     string
	factory  string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Cloud: lab.Run(t)}
	w.profile = w.AddProfile("tm", lab.Endpoint{Name: "korea"}, lab.Endpoint{Name: "japan"})
	w.account = w.AddCosmosDB("trips", "Korea Central", "Japan East")
	w.zone = w.AddRecord("tripgen.example", "api", 60, "10.0.0.1")
	w.factory = w.AddFactory("sync", "back", "task")
	w.accounts = azure.Accounts{"default": w.connect(t, w.Secret())}
	return w
}

// connect is an account that shows a secret.
func (w *world) connect(t *testing.T, secret string) *azure.Account {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.Certificate())
	a, err := azure.Connect(azure.AccountConfig{
		Subscription: lab.Subscription, Credential: azure.CredentialClientSecret, Tenant: lab.Tenant, ClientID: lab.ClientID,
		ClientSecret: func() (string, error) { return secret, nil },
		Private:      &azure.PrivateCloud{Endpoint: w.URL(), Authority: w.URL(), Audience: lab.Audience, Roots: roots},
	}, "test", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// step is one change that Paramedic can ask the cloud for.
type step struct {
	kind   lab.Kind
	action remediators.Remediator
	task   engine.Task
}

func (w *world) steps() []step {
	at := func(id, params string) engine.Task {
		return engine.Task{ID: "run/" + id, Target: engine.Target{System: "azure", Account: "default", Name: strings.ToLower(id)}, Params: json.RawMessage(params)}
	}
	return []step{
		{lab.EndpointChange, azure.NewTrafficManagerEndpoint(w.accounts), at(w.profile, `{"endpoint": "korea", "state": "disabled"}`)},
		{lab.FailoverChange, azure.NewCosmosDBFailover(w.accounts), at(w.account, `{"primary": "Japan East"}`)},
		{lab.RecordChange, azure.NewDNSRecord(w.accounts), at(w.zone, `{"name": "api", "addresses": ["10.0.0.2"]}`)},
		{lab.PipelineRun, azure.NewDataFactoryRun(w.accounts), at(w.factory, `{"pipeline": "back", "taskParameter": "task"}`)},
	}
}

func (w *world) do(ctx context.Context, t *testing.T, s step) error {
	t.Helper()
	p, err := s.action.Plan(ctx, s.task)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.action.Execute(ctx, s.task, p)
	return err
}

func TestEachChangeIsMadeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, s := range w.steps() {
		if err := w.do(t.Context(), t, s); err != nil || w.Effects(s.kind) != 1 {
			t.Errorf("%s: %v, %d effects", s.kind, err, w.Effects(s.kind))
		}
	}
	if e := w.Endpoint("tm", "korea"); e.Status != "Disabled" || e.Monitor != "Disabled" {
		t.Errorf("endpoint: %+v", e)
	}
	if r := w.Regions("trips"); !slices.Equal(r, []string{"Japan East", "Korea Central"}) {
		t.Errorf("regions: %v", r)
	}
	if a := w.Addresses("tripgen.example", "api"); !slices.Equal(a, []string{"10.0.0.2"}) {
		t.Errorf("addresses: %v", a)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault lab.Fault
		class engine.Class
		made  int
	}{
		"a conflict":                          {lab.Fault{Status: http.StatusConflict, Code: "Conflict"}, engine.ClassRetryable, 0},
		"throttled":                           {lab.Fault{Status: http.StatusTooManyRequests, Code: "TooManyRequests", RetryAfter: 7 * time.Second}, engine.ClassRetryable, 0},
		"a stale ETag":                        {lab.Fault{Status: http.StatusPreconditionFailed, Code: "PreconditionFailed"}, engine.ClassPlanChanged, 0},
		"an error of Azure's":                 {lab.Fault{Status: http.StatusServiceUnavailable, Code: "ServerBusy"}, engine.ClassUnknown, 0},
		"a connection cut before":             {lab.Fault{At: lab.Arrived, Cut: true}, engine.ClassUnknown, 0},
		"a connection cut after it":           {lab.Fault{At: lab.Applied, Cut: true}, engine.ClassUnknown, 1},
		"an operation that does not end well": {lab.Fault{Ends: "Failed"}, engine.ClassUnknown, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, s := range w.steps() {
				if c.fault.Ends != "" && s.kind != lab.FailoverChange && s.kind != lab.PipelineRun {
					continue
				}
				w.Next(s.kind, c.fault)
				err := w.do(t.Context(), t, s)
				if remediators.ClassOf(err) != c.class || w.Effects(s.kind) != c.made {
					t.Errorf("%s: %v, %d effects", s.kind, err, w.Effects(s.kind))
				}
				if f := remediators.Failure(err); c.fault.RetryAfter != 0 && f.RetryAfter != c.fault.RetryAfter {
					t.Errorf("%s: retry after %v", s.kind, f.RetryAfter)
				}
			}
		})
	}
}

// What the activity log tells, who observes a call without an answer believes.
func TestTheActivityLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.steps()[0]
	w.Next(s.kind, lab.Fault{At: lab.Applied, Cut: true})
	p, err := s.action.Plan(t.Context(), s.task)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.action.Execute(t.Context(), s.task, p); remediators.ClassOf(err) != engine.ClassUnknown {
		t.Fatal(err)
	}
	for _, want := range []engine.Effect{engine.Unknown, engine.Applied} {
		if effect, err := s.action.Observe(t.Context(), s.task, p); effect != want || err != nil {
			t.Errorf("%s, %v, want %s", effect, err, want)
		}
		w.PromptLog()
	}
}

func TestAFaultIsDoneAtItsMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.steps()[2]
	seen := make(chan []string, 2)
	for _, at := range []lab.Moment{lab.Arrived, lab.Applied} {
		w.Next(s.kind, lab.Fault{At: at, Do: func() { seen <- w.Addresses("tripgen.example", "api") }})
	}
	if err := w.do(t.Context(), t, s); err != nil {
		t.Fatal(err)
	}
	s.task.ID, s.task.Params = "another", json.RawMessage(`{"name": "api", "addresses": ["10.0.0.3"]}`)
	if err := w.do(t.Context(), t, s); err != nil {
		t.Fatal(err)
	}
	if arrived, applied := <-seen, <-seen; arrived[0] != "10.0.0.1" || applied[0] != "10.0.0.3" {
		t.Errorf("%v when it arrived, %v when it was applied", arrived, applied)
	}
}

func TestWhatAzureDoesNotTakeIsNoted(t *testing.T) {
	t.Parallel()
	w := &world{}
	var err error
	if w.Cloud, err = lab.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	profile := w.AddProfile("tm", lab.Endpoint{Name: "korea"})
	w.accounts = azure.Accounts{"default": w.connect(t, "another secret")}
	_, err = azure.NewTrafficManagerEndpoint(w.accounts).Plan(t.Context(), engine.Task{
		Target: engine.Target{System: "azure", Account: "default", Name: strings.ToLower(profile)}, Params: json.RawMessage(`{"endpoint": "korea", "weight": 1}`),
	})
	if err == nil || !strings.Contains(err.Error(), "AADSTS7000215") || len(w.Refused()) != 0 {
		t.Errorf("another secret: %v; %v", err, w.Refused())
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(w.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL()+profile+"?api-version=2022-04-01", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Error(err)
	}
	transport.CloseIdleConnections()
	if refused := w.Refused(); answer.StatusCode != http.StatusBadRequest || len(refused) != 1 || !strings.Contains(refused[0], "token") {
		t.Errorf("without a token: %s; %v", answer.Status, refused)
	}
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
}
