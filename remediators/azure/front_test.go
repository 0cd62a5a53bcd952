package azure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// route is one call of the API, and the vendor's fake that answers it.
type route struct {
	method string
	path   string // an expression that the whole path must match, behind the resource group
	api    string // as the fake calls it
	fake   policy.Transporter
}

// front brings HTTP to the vendor's fakes, which are called as functions, so that
// what is between a client and Azure can fail. It checks what the fakes do not look
// at, and does not begin an operation on what has one.
type front struct {
	t      *testing.T
	routes []route
	lists  map[string]string // answers to GET by path, of services without a fake
	server *httptest.Server

	mu     sync.Mutex
	busy   map[string]route // paths with an operation
	events []string         // of the activity log, as JSON
}

func newFront(t *testing.T, routes ...route) *front {
	t.Helper()
	f := &front{t: t, routes: routes, busy: map[string]route{}, lists: map[string]string{}}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

const (
	group      = "/subscriptions/" + subscription + "/resourceGroups/rg"
	logPath    = "/subscriptions/" + subscription + "/providers/Microsoft.Insights/eventtypes/management/values"
	pollSuffix = "/get/fake/status"
)

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, poll := strings.CutSuffix(r.URL.Path, pollSuffix)
	change := r.Method != http.MethodGet && !strings.HasSuffix(path, "/queryPipelineRuns")
	for what, wrong := range map[string]bool{
		"token":       r.Header.Get("Authorization") != "Bearer "+accessToken,
		"api-version": r.URL.Query().Get("api-version") == "",
		"user agent":  !strings.HasPrefix(r.UserAgent(), "paramedic/test azsdk-go-"),
		"request id":  change != uuid.MatchString(r.Header.Get("X-Ms-Client-Request-Id")),
	} {
		if wrong {
			f.t.Errorf("%s %s: the %s is wrong: %v", r.Method, r.URL, what, r.Header)
			refusal(http.StatusBadRequest, "Strict", what)(w, r)
			return
		}
	}
	if path == logPath && !change {
		f.mu.Lock()
		defer f.mu.Unlock()
		reply(http.StatusOK, `{"value": [`+strings.Join(f.events, ",")+`]}`)(w, r)
		return
	}
	if body, ok := f.lists[r.URL.Path]; ok && !change && body != "" {
		reply(http.StatusOK, body)(w, r)
		return
	}
	if body, ok := f.lists[r.URL.Path]; ok && body == "" {
		refusal(http.StatusNotFound, "ResourceGroupNotFound", "There is no such resource group.")(w, r)
		return
	}
	for _, to := range f.routes {
		_, rest, ok := strings.Cut(path, "/resourceGroups/")
		_, rest, in := strings.Cut(rest, "/")
		rest = "/" + rest
		if ok && in && (!poll && to.method == r.Method || poll && to.method != http.MethodGet) && regexp.MustCompile("^(?:"+to.path+")$").MatchString(rest) {
			f.pass(w, r, to, path)
			return
		}
	}
	refusal(http.StatusNotFound, "ResourceNotFound", "The front has no route to it.")(w, r)
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// pass asks a fake.
func (f *front) pass(w http.ResponseWriter, r *http.Request, to route, path string) {
	change := r.Method != http.MethodGet
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender is gone
	}
	f.mu.Lock()
	defer f.mu.Unlock() // the fakes keep state without a lock
	if _, busy := f.busy[path]; busy && change {
		refusal(http.StatusConflict, "OperationInProgress", "Another operation is in progress.")(w, r)
		return
	}
	if poll := strings.HasSuffix(r.URL.Path, pollSuffix); !change && !poll {
		f.passTime(path)
	} else if _, busy := f.busy[path]; poll && !busy {
		w.Header().Set("Fake-Poller-Status", succeeded) // somebody else saw the end
		w.WriteHeader(http.StatusNoContent)
		return
	}
	resp, err := f.ask(r.Context(), r.Method, r.URL.RequestURI(), string(body), r.Header, to, path)
	if err != nil {
		f.t.Errorf("%s %s: the fake fails: %v", r.Method, r.URL, err)
		refusal(http.StatusInternalServerError, "FakeFailed", err.Error())(w, r)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body) // a client that is gone notices itself
}

func (f *front) ask(ctx context.Context, method, uri, body string, header http.Header, to route, path string) (*http.Response, error) {
	ctx = context.WithValue(context.WithoutCancel(ctx), runtime.CtxAPINameKey{}, to.api)
	asked, err := http.NewRequestWithContext(ctx, method, "https://management.azure.com"+uri, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	asked.Header = header.Clone()
	resp, err := to.fake.Do(asked)
	if refused, ok := errors.AsType[*azcore.ResponseError](err); ok {
		resp = refused.RawResponse
	} else if err != nil {
		return nil, err
	}
	switch status := resp.Header.Get("Fake-Poller-Status"); {
	case status == "InProgress":
		f.busy[path] = to
	case status != "", resp.StatusCode >= 300:
		delete(f.busy, path)
	}
	return resp, nil
}

// passTime lets the operations on a resource go on, whoever looks at it: those of whom
// nobody asks for the end end, too.
func (f *front) passTime(resource string) {
	for path, to := range f.busy {
		if !strings.HasPrefix(path, resource) {
			continue
		}
		resp, err := f.ask(f.t.Context(), http.MethodGet, path+pollSuffix, "", nil, to, path)
		if err != nil {
			f.t.Errorf("%s: the fake fails: %v", path, err)
			continue
		}
		_ = resp.Body.Close()
	}
}

// logged puts an event about a task into the activity log.
func (f *front) logged(task, status string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, fmt.Sprintf(`{"httpRequest": {"clientRequestId": %q}, "status": {"value": %q}}`, requestID(task), status))
}

// staticToken is a credential whose token is always good.
type staticToken struct{}

func (staticToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: accessToken, ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// accountAt is an account whose cloud is at an end, and which waits for nothing long.
func accountAt(t *testing.T, end remediatortest.End) *Account {
	t.Helper()
	roots := x509.NewCertPool()
	if end.Certificate != nil {
		roots.AddCert(end.Certificate)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	a, err := newAccount(subscription, staticToken{}, azcore.ClientOptions{
		Cloud: cloud.Configuration{Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
			cloud.ResourceManager: {Endpoint: end.URL, Audience: "https://management.core.windows.net/"},
		}},
		Retry:                           policy.RetryOptions{RetryDelay: time.Nanosecond, MaxRetryDelay: time.Second},
		Telemetry:                       policy.TelemetryOptions{ApplicationID: "paramedic/test"},
		InsecureAllowCredentialWithHTTP: true,
		Transport:                       client(&http.Transport{Protocols: &protocols, TLSClientConfig: &tls.Config{RootCAs: roots}}),
	}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	a.poll = time.Millisecond
	return a
}

// direct is an account that talks to the front without a proxy in between.
func (f *front) direct() *Account {
	f.t.Helper()
	return accountAt(f.t, remediatortest.End{URL: f.server.URL})
}

// resource is a target in the account that all tests here call default.
func resource(path string) engine.Target {
	return engine.Target{System: engine.SystemAzure, Account: "default", Name: strings.ToLower(group + path)}
}

// conforms runs the suite on a remediator before the front, over both protocols that
// Azure speaks.
func (f *front) conforms(t *testing.T, open func(Accounts) remediators.Remediator, fresh func(*testing.T) remediatortest.Scene, missing engine.Task) {
	t.Helper()
	for _, protocol := range []remediatortest.Protocol{remediatortest.HTTPS1, remediatortest.HTTP2} {
		t.Run(url.PathEscape(string(protocol)), func(t *testing.T) {
			remediatortest.Run(t, remediatortest.Subject{
				Target: f.server.URL, Protocol: protocol, Secrets: []string{accessToken},
				Open: func(t *testing.T, end remediatortest.End) remediatortest.Bench {
					return remediatortest.Bench{Remediator: open(Accounts{"default": accountAt(t, end)}), Fresh: fresh, Missing: missing}
				},
			})
		})
	}
}
