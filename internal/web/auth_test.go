package web_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/tripgen/paramedic/internal/web"
	"github.com/tripgen/paramedic/internal/web/webtest"
)

func secret(s string) func() (string, error) { return func() (string, error) { return s, nil } }

func tokens(o *web.Options) {
	o.API.Auth = web.Auth{Tokens: []web.Token{
		{Name: "eye", Role: web.Viewer, Secret: secret("v-token")},
		{Name: "hand", Role: web.Operator, Secret: secret("o-token")},
		{Name: "root", Role: web.Admin, Secret: secret("a-token")},
		{Name: "twin", Role: web.Viewer, Secret: secret("a-token-twice")},
		{Name: "twin-admin", Role: web.Admin, Secret: secret("a-token-twice")},
	}}
}

func bearing(values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header["Authorization"] = values }
}

func TestRolesDecideWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t, tokens)
	routes := []struct {
		method, path, body string
		viewer, operator   int
	}{
		{"GET", "/runs", "", 200, 200},
		{"GET", "/runs/none", "", 404, 404},
		{"GET", "/pauses", "", 200, 200},
		{"GET", "/ledger", "", 200, 200},
		{"GET", "/inbox", "", 403, 200},
		{"GET", "/nothing-here", "", 404, 404},
		{"POST", "/runs/none/approve", `{"plan":"x"}`, 403, 404},
		{"POST", "/runs/none/deny", `{}`, 403, 404},
		{"POST", "/runs/none/cancel", `{}`, 403, 404},
		{"POST", "/pauses", `{"scope":"rule/x"}`, 403, 200},
		{"POST", "/triggers/none", `{}`, 403, 400},
		{"DELETE", "/pauses?scope=rule/y", "", 403, 404},
	}
	for _, r := range routes {
		for who, expect := range map[string]int{
			"":                     401,
			"Bearer":               401,
			"Bearer ":              401,
			"Bearer v-toke":        401,
			"Bearer v-token2":      401,
			"Basic v-token":        401,
			"v-token":              401,
			"Bearer v-token":       r.viewer,
			"bearer   v-token":     r.viewer,
			"Bearer o-token":       r.operator,
			"Bearer a-token":       r.operator,
			"Bearer a-token-twice": r.viewer,
		} {
			a := send(t, r.method, w.URL+"/api/v1"+r.path, r.body, bearing(who))
			if a.status != expect {
				t.Errorf("%s %s with %q: %d, want %d: %s", r.method, r.path, who, a.status, expect, a.body)
			}
			if a.status >= 400 {
				a.problem(t)
			}
			if a.status == 401 && a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s %s: 401 without a challenge", r.method, r.path)
			}
		}
		if a := send(t, r.method, w.URL+"/api/v1"+r.path, r.body, bearing("Bearer v-token", "Bearer o-token")); a.status != 401 {
			t.Errorf("%s %s with two credentials: %d", r.method, r.path, a.status)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		want(t, get(t, w.URL+path), http.StatusOK)
	}
}

// lines collects what is logged.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func TestATokenThatCannotBeReadLetsNobodyIn(t *testing.T) {
	t.Parallel()
	var log lines
	w := webtest.Start(t, func(o *web.Options) {
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		o.API.Auth = web.Auth{Tokens: []web.Token{
			{Name: "gone", Role: web.Admin, Secret: func() (string, error) { return "", errors.New("file is gone") }},
			{Name: "empty", Role: web.Admin, Secret: secret("")},
			{Name: "good", Role: web.Viewer, Secret: secret("good")},
		}}
	})
	a := want(t, send(t, "GET", w.URL+"/api/v1/runs", "", bearing("Bearer other")), http.StatusServiceUnavailable)
	if strings.Contains(string(a.body), "gone") || a.header.Get("Retry-After") == "" {
		t.Errorf("answer %s, header %v", a.body, a.header)
	}
	want(t, send(t, "GET", w.URL+"/api/v1/runs", "", bearing("Bearer good")), http.StatusOK)
	if !strings.Contains(log.String(), "file is gone") {
		t.Errorf("the log does not say why: %s", log.String())
	}
	if strings.Contains(log.String(), "other") {
		t.Error("a credential is in the log")
	}
}

func TestAuthThatIsNotSoundDoesNotStart(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	for name, auth := range map[string]web.Auth{
		"nobody":         {},
		"both":           {Open: true, Tokens: []web.Token{{Name: "a", Role: web.Viewer, Secret: secret("x")}}},
		"no name":        {Tokens: []web.Token{{Role: web.Viewer, Secret: secret("x")}}},
		"no role":        {Tokens: []web.Token{{Name: "a", Secret: secret("x")}}},
		"no such role":   {Tokens: []web.Token{{Name: "a", Role: 9, Secret: secret("x")}}},
		"no secret":      {Tokens: []web.Token{{Name: "a", Role: web.Viewer}}},
		"the same names": {Tokens: []web.Token{{Name: "a", Role: web.Viewer, Secret: secret("x")}, {Name: "a", Role: web.Admin, Secret: secret("y")}}},
	} {
		if _, err := web.New(options(w, auth)); err == nil {
			t.Errorf("%s: started", name)
		}
	}
	if _, err := web.New(options(w, web.Auth{Open: true})); err != nil {
		t.Error(err)
	}
}

// TestOpenAPI: without tokens a web page that the machine's user looks at must
// not be able to press the kill switch.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	host := strings.TrimPrefix(w.URL, "http://")
	_, port, _ := strings.Cut(host, ":")
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	named := func(host string) func(*http.Request) { return func(r *http.Request) { r.Host = host } }
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"a program":               {nil, 200},
		"by name":                 {named("localhost:" + port), 200},
		"by name in capitals":     {named("LOCALHOST:" + port), 200},
		"by IPv6":                 {named("[::1]:" + port), 200},
		"by another loopback":     {named("127.9.9.9"), 200},
		"rebound name":            {named("evil.example:" + port), 403},
		"name like localhost":     {named("localhost.evil.example"), 403},
		"name that begins so":     {named("127.0.0.1.evil.example"), 403},
		"another address":         {named("192.0.2.1:" + port), 403},
		"every address":           {named("0.0.0.0:" + port), 403},
		"own page":                {header("Origin", w.URL), 200},
		"own page, fetch":         {header("Sec-Fetch-Site", "same-origin"), 200},
		"typed by the user":       {header("Sec-Fetch-Site", "none"), 200},
		"another site":            {header("Origin", "https://evil.example"), 403},
		"another port":            {header("Origin", "http://127.0.0.1:1"), 403},
		"another scheme":          {header("Origin", "https://"+host), 403},
		"sandboxed page":          {header("Origin", "null"), 403},
		"no origin at all":        {header("Origin", "%"), 403},
		"another site, fetch":     {header("Sec-Fetch-Site", "cross-site"), 403},
		"another port, fetch":     {header("Sec-Fetch-Site", "same-site"), 403},
		"through a proxy":         {header("X-Forwarded-For", "192.0.2.1"), 403},
		"through a modern proxy":  {header("Forwarded", "for=192.0.2.1"), 403},
		"a form":                  {header("Content-Type", "text/plain"), 415},
		"another form":            {header("Content-Type", "application/x-www-form-urlencoded"), 415},
		"no type":                 {func(r *http.Request) { r.Header.Del("Content-Type") }, 415},
		"JSON with a charset":     {header("Content-Type", "application/json; charset=utf-8"), 200},
		"a form that claims more": {header("Content-Type", "text/plain; application/json"), 415},
	} {
		a := send(t, http.MethodPost, w.URL+"/api/v1/pauses", `{"scope":"rule/x"}`, c.change)
		if a.status != c.status {
			t.Errorf("%s: %d, want %d: %s", name, a.status, c.status, a.body)
		}
		if a.status >= 400 {
			a.problem(t)
		}
		if c.status == 403 {
			if a := send(t, http.MethodGet, w.URL+"/api/v1/runs", "", c.change); a.status != 403 {
				t.Errorf("%s: may read: %d", name, a.status)
			}
		}
	}
}
