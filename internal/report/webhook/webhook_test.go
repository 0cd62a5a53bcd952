package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/report"
)

const (
	token = "the-token"
	key   = "the-key"
	path  = "/hooks/the-path"
)

func constant(value string) Secret { return func() (string, error) { return value, nil } }

func now() time.Time { return time.Unix(1764000000, 0) }

func notice() report.Notice {
	return report.Notice{
		ID: "17-2", At: now(), Kind: report.Cured, Text: "Rule r cured kubernetes/korea/production/Deployment/a.",
		Run: "run-1", Rule: "r", Mode: engine.ModeAuto, Target: "kubernetes/korea/production/Deployment/a",
		Alert:  &report.Alert{Source: "am", Name: "Down", Labels: map[string]string{"job": "a"}},
		Routes: []engine.Route{{Reporter: Name, To: "ops"}},
	}
}

// strict refuses every request that is not exactly as the package comment says.
func strict(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the body: %v", err)
		}
		for name, want := range map[string]string{
			"Content-Type": "application/json", "User-Agent": "paramedic/v9", "Authorization": "Bearer " + token,
			"X-Paramedic-Notice-Id": "17-2", "X-Paramedic-Signature": sign(key, now(), body),
		} {
			if got := r.Header.Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if r.Method != http.MethodPost || r.URL.Path != path || r.ContentLength != int64(len(body)) {
			t.Errorf("got %s %s with length %d", r.Method, r.URL.Path, r.ContentLength)
		}
		var got struct {
			Version string
			Notice  report.Notice
		}
		decoder := json.NewDecoder(strings.NewReader(string(body)))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&got); err != nil || got.Version != "1" || got.Notice.Alert.Labels["job"] != "a" || got.Notice.Kind != report.Cured {
			t.Errorf("got %s, %v", body, err)
		}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func reporter(t *testing.T, base string, change ...func(*Options)) *Reporter {
	t.Helper()
	o := Options{
		Name: "ops", URL: base + path, Bearer: constant(token), Signature: constant(key), Timeout: 5 * time.Second,
		Version: "v9", Now: now,
	}
	for _, c := range change {
		c(&o)
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestSignatureIsTheDocumentedOne(t *testing.T) {
	// Made with: printf '1764000000.{}' | openssl dgst -sha256 -hmac the-key
	const want = "t=1764000000,v1=5463315c8ec8b988f7c17e074baf1696fbb27d292311613695962c949bf110e3"
	if got := sign(key, now(), []byte("{}")); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// outcome is how the Dispatcher treats one error.
type outcome string

const (
	arrived outcome = "arrived"
	again   outcome = "again"
	refused outcome = "refused"
)

func TestEveryStatus(t *testing.T) {
	var status int
	server := strict(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	})
	r := reporter(t, server.URL)
	for status = 200; status < 600; status++ {
		want := refused
		switch {
		case status < 300:
			want = arrived
		case status == 408 || status == 425 || status == 429 || status >= 500:
			want = again
		}
		err := r.Report(t.Context(), notice())
		if got := treat(t, err); got != want {
			t.Errorf("%d: got %s (%v), want %s", status, got, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), strconv.Itoa(status)) {
			t.Errorf("the error does not tell the status: %v", err)
		}
		quiet(t, err)
	}
}

// treat asks the real Dispatcher what it makes of the error: it ends as soon as that is clear.
func treat(t *testing.T, err error) outcome {
	t.Helper()
	if err == nil {
		return arrived
	}
	var result outcome
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		once := &script{err: err, stop: stop}
		d, err := report.New(report.Options{
			Subscriptions: []report.Subscription{{Reporter: once, All: true}},
			Ledger:        once, Store: once, Log: discard(), Metrics: prometheus.NewRegistry(),
			Now: time.Now, Jitter: func() float64 { return 0 },
		})
		if err != nil {
			t.Fatal(err)
		}
		d.Run(ctx)
		result = refused
		if once.calls > 1 {
			result = again
		}
	})
	return result
}

func quiet(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, secret := range []string{token, key, "the-path"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows %s: %v", secret, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-5": 0, "0": 0, "7": 7 * time.Second, "4294967295": 24 * time.Hour, "99999999999999": 0,
		now().Add(time.Minute).UTC().Format(http.TimeFormat):          time.Minute,
		now().Add(-time.Minute).UTC().Format(http.TimeFormat):         0,
		now().Add(1000 * time.Hour).UTC().Format(http.TimeFormat):     24 * time.Hour,
		now().Add(time.Minute).UTC().Format(http.TimeFormat) + "junk": 0,
	} {
		if got := retryAfter(value, now()); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the token went astray: %v", r.Header)
	}))
	t.Cleanup(elsewhere.Close)
	server := strict(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	if got := treat(t, reporter(t, server.URL).Report(t.Context(), notice())); got != refused {
		t.Errorf("got %s", got)
	}
}

func TestNoAnswerIsTriedAgainAndShowsNoSecret(t *testing.T) {
	hang := make(chan struct{})
	server := strict(t, func(http.ResponseWriter, *http.Request) { <-hang })
	defer close(hang)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, r := range map[string]*Reporter{
		"hangs":   reporter(t, server.URL, func(o *Options) { o.Timeout = 50 * time.Millisecond }),
		"is gone": reporter(t, closed.URL),
		"no host": reporter(t, "http://host.invalid"),
	} {
		err := r.Report(t.Context(), notice())
		if err == nil || treat(t, err) != again {
			t.Errorf("%s: got %v", name, err)
		}
		quiet(t, err)
	}
}

func TestAnEndlessAnswerIsCutOff(t *testing.T) {
	server := strict(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
		}
	})
	if err := reporter(t, server.URL).Report(t.Context(), notice()); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("got %v", err)
	}
}

func TestASecretThatCannotBeReadSendsNothing(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }))
	t.Cleanup(server.Close)
	gone := errors.New("it is gone")
	broken := func() (string, error) { return "", gone }
	for _, change := range []func(*Options){
		func(o *Options) { o.Bearer = broken }, func(o *Options) { o.Signature = broken },
	} {
		if err := reporter(t, server.URL, change).Report(t.Context(), notice()); !errors.Is(err, gone) || treat(t, err) != again {
			t.Errorf("got %v", err)
		}
	}
}

func TestTheContextEndsAReport(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hang := make(chan struct{})
	server := strict(t, func(http.ResponseWriter, *http.Request) { cancel(); <-hang })
	defer close(hang)
	if err := reporter(t, server.URL).Report(ctx, notice()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"no name":   {URL: "http://e", Now: now},
		"no clock":  {Name: "a", URL: "http://e"},
		"no scheme": {Name: "a", URL: "e", Now: now},
		"no host":   {Name: "a", URL: "http://", Now: now},
		"ftp":       {Name: "a", URL: "ftp://e", Now: now},
		"no URL":    {Name: "a", URL: "http://%zz", Now: now},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
	if got := reporter(t, "http://e").Name(); got != "webhook/ops" {
		t.Errorf("got %s", got)
	}
}
