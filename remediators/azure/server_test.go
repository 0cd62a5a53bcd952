package azure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	subscription = "3f9a0c1e-52d7-4b86-9f10-6a7b8c9d0e1f"
	tenant       = "0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0"
	clientID     = "11112222-3333-4444-8555-666677778888"
	queryPath    = "/subscriptions/" + subscription + "/providers/Microsoft.CostManagement/query"
)

// Secrets that nothing may show. The token is no longer than an id, so that it is
// not taken out for its length only.
const (
	accessToken = "eyJ-hunter2-access-token"
	firstSecret = "hunter2-first-secret"
	nextSecret  = "hunter2-next-secret"
)

// hosts are those of a cloud.
type hosts struct{ signIn, api, audience string }

func hostsOf(cloud string) hosts {
	return map[string]hosts{
		CloudPublic:       {"login.microsoftonline.com", "management.azure.com", "https://management.core.windows.net/"},
		CloudUSGovernment: {"login.microsoftonline.us", "management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net/"},
		CloudChina:        {"login.chinacloudapi.cn", "management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn/"},
	}[cloud]
}

// local is Entra and Azure Resource Manager at once, as far as they are needed
// here, over TLS. It checks every request for being one that the real ones take,
// and answers queries with what is written.
type local struct {
	t      *testing.T
	hosts  hosts
	server *httptest.Server

	mu      sync.Mutex
	secret  string // that Entra takes
	signIn  http.HandlerFunc
	tokens  int
	queries []query
	answers []http.HandlerFunc
}

// query is what was asked.
type query struct {
	link string // path and query of the URL
	body string
}

// newLocal makes a server of the public cloud. All answers must be used up.
func newLocal(t *testing.T, answers ...http.HandlerFunc) *local {
	t.Helper()
	l := &local{t: t, hosts: hostsOf(CloudPublic), secret: firstSecret, answers: answers}
	l.server = httptest.NewUnstartedServer(l)
	l.server.EnableHTTP2 = true
	l.server.StartTLS()
	t.Cleanup(func() {
		l.server.Close()
		if len(l.answers) != 0 {
			t.Errorf("%d answers were not asked for", len(l.answers))
		}
	})
	return l
}

// RoundTrip brings a request for any of Azure's hosts to the server.
func (l *local) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, fmt.Errorf("%s is no https", r.URL)
	}
	there := r.Clone(r.Context())
	there.Host, there.URL.Host = r.URL.Host, l.server.Listener.Addr().String()
	return l.server.Client().Transport.RoundTrip(there)
}

func (l *local) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	signIn := l.signIn
	l.mu.Unlock()
	switch {
	case r.Host == l.hosts.signIn && signIn != nil && strings.HasSuffix(r.URL.Path, "/token"):
		signIn(w, r)
	case r.Host == l.hosts.signIn:
		l.entra(w, r)
	case r.Host == l.hosts.api && r.URL.Path == queryPath:
		l.query(w, r)
	default:
		l.refuse(w, r, "nobody is to be asked this")
	}
}

func (l *local) refuse(w http.ResponseWriter, r *http.Request, format string, args ...any) {
	l.t.Errorf("%s https://%s%s: %s", r.Method, r.Host, r.URL, fmt.Sprintf(format, args...))
	http.Error(w, "not what Azure takes", http.StatusNotImplemented)
}

// entra signs in whoever shows the secret.
func (l *local) entra(w http.ResponseWriter, r *http.Request) {
	authority := "https://" + l.hosts.signIn + "/" + tenant
	switch r.URL.Path {
	case "/common/discovery/instance":
		reply(http.StatusOK, fmt.Sprintf(`{"tenant_discovery_endpoint": %q, "metadata": [{"preferred_network": %q, "preferred_cache": %q, "aliases": [%q]}]}`,
			authority+"/v2.0/.well-known/openid-configuration", l.hosts.signIn, l.hosts.signIn, l.hosts.signIn))(w, r)
	case "/" + tenant + "/v2.0/.well-known/openid-configuration":
		reply(http.StatusOK, fmt.Sprintf(`{"issuer": %q, "authorization_endpoint": %q, "token_endpoint": %q}`,
			authority+"/v2.0", authority+"/oauth2/v2.0/authorize", authority+"/oauth2/v2.0/token"))(w, r)
	case "/" + tenant + "/oauth2/v2.0/token":
		if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.Header.Get("ClientType") != "" {
			l.refuse(w, r, "%v, with ClientType %q", err, r.Header.Get("ClientType"))
			return
		}
		for name, want := range map[string]string{
			"client_id": clientID, "grant_type": "client_credentials", "scope": l.hosts.audience + "/.default openid offline_access profile",
		} {
			if got := r.PostForm.Get(name); got != want {
				l.refuse(w, r, "%s is %q, want %q", name, got, want)
				return
			}
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if r.PostForm.Get("client_secret") != l.secret {
			reply(http.StatusUnauthorized, `{"error": "invalid_client", "error_codes": [7000215],
				"error_description": "AADSTS7000215: Invalid client secret provided: `+r.PostForm.Get("client_secret")+`"}`)(w, r)
			return
		}
		l.tokens++
		reply(http.StatusOK, `{"token_type": "Bearer", "expires_in": 3599, "access_token": "`+accessToken+`"}`)(w, r)
	default:
		l.refuse(w, r, "Entra has no such page")
	}
}

// query checks a query, and answers with the next answer.
func (l *local) query(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	values := r.URL.Query()
	for what, wrong := range map[string]bool{
		"method":      r.Method != http.MethodPost,
		"api-version": values.Get("api-version") != "2022-10-01",
		"type":        r.Header.Get("Content-Type") != "application/json",
		"accept":      r.Header.Get("Accept") != "application/json",
		"token":       r.Header.Get("Authorization") != "Bearer "+accessToken,
		"user agent":  !strings.HasPrefix(r.UserAgent(), "paramedic/test azsdk-go-armcostmanagement/v2."),
		"client type": r.Header.Get("ClientType") != "paramedic",
		"body":        !json.Valid(body),
	} {
		if wrong {
			l.refuse(w, r, "the %s is wrong: %v, %s", what, r.Header, body)
			return
		}
	}
	l.mu.Lock()
	l.queries = append(l.queries, query{r.URL.String(), string(body)})
	if len(l.answers) == 0 {
		l.mu.Unlock()
		l.refuse(w, r, "there is no answer left")
		return
	}
	next := l.answers[0]
	l.answers = l.answers[1:]
	l.mu.Unlock()
	next(w, r)
}

// asked are the queries so far.
func (l *local) asked() []query {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]query(nil), l.queries...)
}

// account is connected to the server, and repeats what fails without a wait.
func (l *local) account() *Account {
	l.t.Helper()
	a, err := Connect(l.config(), "test", func() time.Time { return midMonth })
	if err != nil {
		l.t.Fatal(err)
	}
	a.retry.RetryDelay = time.Nanosecond
	return a
}

func (l *local) config() AccountConfig {
	return AccountConfig{
		Subscription: subscription, Credential: CredentialClientSecret, Tenant: tenant, ClientID: clientID,
		ClientSecret: func() (string, error) { return firstSecret, nil },
		Transport:    l,
	}
}

// reply is an answer as it is.
func reply(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Date", midMonth.Format(http.TimeFormat))
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body) // a client that is gone notices itself
	}
}

// refusal is an answer in Azure's form of errors.
func refusal(status int, code, message string, header ...string) http.HandlerFunc {
	return reply(status, fmt.Sprintf(`{"error": {"code": %q, "message": %q}}`, code, message), header...)
}

// table is the body of an answer.
func table(next string, columns []string, rows ...[]any) string {
	type column struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	var properties struct {
		NextLink *string  `json:"nextLink"`
		Columns  []column `json:"columns"`
		Rows     [][]any  `json:"rows"`
	}
	properties.Rows = append([][]any{}, rows...)
	for _, c := range columns {
		properties.Columns = append(properties.Columns, column{c, map[bool]string{true: "Number", false: "String"}[c == columnCost]})
	}
	if next != "" {
		properties.NextLink = &next
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(map[string]any{
		"id": queryPath + "/1", "name": "1", "type": "Microsoft.CostManagement/query", "location": nil, "sku": nil, "eTag": nil,
		"properties": properties,
	}); err != nil {
		panic(err)
	}
	return b.String()
}

// total is the answer of a query that is not broken down.
func total(rows ...[]any) http.HandlerFunc {
	return reply(http.StatusOK, table("", []string{"Cost", "Currency"}, rows...))
}

var midMonth = time.Date(2026, time.March, 17, 4, 5, 6, 0, time.UTC)

// same compares JSON.
func same(t *testing.T, got, want string) bool {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("%v: %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%v: %s", err, want)
	}
	return reflect.DeepEqual(g, w)
}

// noSecret fails the test if one is shown.
func noSecret(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		for _, secret := range []string{accessToken, firstSecret, nextSecret} {
			if strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) {
				t.Errorf("it shows %s: %s", secret, text)
			}
		}
	}
}

// equalCosts compares without the period.
func equalCosts(got, want Costs) bool {
	return got.Currency == want.Currency && got.Total == want.Total && (got.By == nil) == (want.By == nil) && maps.Equal(got.By, want.By)
}
