package azure

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// drop ends the connection after it has sent what is given.
func drop(sent string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if sent != "" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, sent)
			_ = http.NewResponseController(w).Flush() // the client's to notice
		}
		panic(http.ErrAbortHandler)
	}
}

// flood never ends.
func flood(w http.ResponseWriter, _ *http.Request) {
	_, err := io.WriteString(w, `{"properties": {"columns": [], "rows": [`)
	for line := bytes.Repeat([]byte("[1, 2], "), 1<<14); err == nil; {
		_, err = w.Write(line)
	}
}

// TestFailures has what Azure can do instead of an answer, and what is told of it.
// How many answers there are says how often it may be asked.
func TestFailures(t *testing.T) {
	t.Parallel()
	const limited = "x-ms-ratelimit-microsoft.costmanagement-"
	tooMany := func(header ...string) http.HandlerFunc {
		return refusal(http.StatusTooManyRequests, "429", "Too many requests. Please retry.", header...)
	}
	down := refusal(http.StatusServiceUnavailable, "ServiceUnavailable", "Try later.")
	for name, c := range map[string]struct {
		answers []http.HandlerFunc
		class   engine.Class // empty: it gets its answer in the end
		after   time.Duration
		want    string
	}{
		"throttled":              {[]http.HandlerFunc{tooMany()}, engine.ClassRetryable, time.Minute, "HTTP 429 Too Many Requests (429): Too many"},
		"throttled by QPU":       {[]http.HandlerFunc{tooMany(limited+"qpu-retry-after", "120")}, engine.ClassRetryable, 2 * time.Minute, "429"},
		"throttled by several":   {[]http.HandlerFunc{tooMany("Retry-After", "1", limited+"entity-retry-after", "300", limited+"tenant-retry-after", "70")}, engine.ClassRetryable, 5 * time.Minute, "429"},
		"throttled for a second": {[]http.HandlerFunc{tooMany(limited+"clienttype-retry-after", "1")}, engine.ClassRetryable, time.Minute, "429"},
		"throttled on page 2": {
			[]http.HandlerFunc{
				reply(http.StatusOK, table("https://management.azure.com"+queryPath+"?$skiptoken=x&api-version=2022-10-01", []string{"Cost", "Currency"}, []any{1, "USD"})),
				tooMany(limited+"entity-retry-after", "90"),
			}, engine.ClassRetryable, 90 * time.Second, "429",
		},

		"down once":         {[]http.HandlerFunc{down, total([]any{1, "USD"})}, "", 0, ""},
		"down":              {slices.Repeat([]http.HandlerFunc{down}, 4), engine.ClassRetryable, 0, "HTTP 503 Service Unavailable (ServiceUnavailable): Try later."},
		"down for long":     {[]http.HandlerFunc{refusal(503, "Down", "Down.", "Retry-After", "600")}, engine.ClassRetryable, 10 * time.Minute, "(Down): Down."},
		"an error page":     {slices.Repeat([]http.HandlerFunc{reply(http.StatusBadGateway, "<html>Bad {"+accessToken+"}</html>")}, 4), engine.ClassRetryable, 0, "HTTP 502 Bad Gateway"},
		"timed out":         {slices.Repeat([]http.HandlerFunc{refusal(http.StatusRequestTimeout, "Timeout", "Slow.")}, 4), engine.ClassRetryable, 0, "408"},
		"cut off once":      {[]http.HandlerFunc{drop(""), total([]any{1, "USD"})}, "", 0, ""},
		"cut off":           {slices.Repeat([]http.HandlerFunc{drop("")}, 4), engine.ClassRetryable, 0, "stream error"},
		"cut off meanwhile": {[]http.HandlerFunc{drop(`{"properties": {"columns": [`)}, engine.ClassRetryable, 0, "body"},
		"endless":           {[]http.HandlerFunc{flood}, engine.ClassRetryable, 0, "longer than 16777216 bytes"},
		"not JSON":          {[]http.HandlerFunc{reply(http.StatusOK, "<html>"+accessToken)}, engine.ClassRetryable, 0, "invalid character"},
		"half JSON":         {[]http.HandlerFunc{reply(http.StatusOK, `{"properties": {`)}, engine.ClassRetryable, 0, "unexpected end"},
		"rows are no rows":  {[]http.HandlerFunc{reply(http.StatusOK, `{"properties": {"columns": [], "rows": ["`+accessToken+`"]}}`)}, engine.ClassRetryable, 0, "cannot unmarshal"},
		"no content":        {[]http.HandlerFunc{reply(http.StatusNoContent, "")}, engine.ClassRetryable, 0, "204"},

		"forbidden": {
			[]http.HandlerFunc{refusal(http.StatusForbidden, "AuthorizationFailed", "The client "+clientID+" with token "+accessToken+" may not.")},
			engine.ClassTerminal, 0,
			"HTTP 403 Forbidden (AuthorizationFailed): The client " + clientID + " with token … may not.: give the identity the role Cost Management Reader",
		},
		"unauthorized":  {[]http.HandlerFunc{refusal(http.StatusUnauthorized, "RBACAccessDenied", "No.")}, engine.ClassTerminal, 0, "view charges"},
		"no such thing": {[]http.HandlerFunc{refusal(http.StatusNotFound, "SubscriptionNotFound", "None.")}, engine.ClassTerminal, 0, "check the id of the subscription"},
		"bad":           {[]http.HandlerFunc{refusal(http.StatusBadRequest, "BadRequest", "Invalid dataset: "+strings.Repeat("long ", 1000))}, engine.ClassTerminal, 0, "Invalid dataset: long"},
		"code in a header": {
			[]http.HandlerFunc{reply(http.StatusBadRequest, "", "x-ms-error-code", "Odd")}, engine.ClassTerminal, 0, "HTTP 400 Bad Request (Odd)",
		},
		// The SDK would register the provider in the subscription, and ask again.
		"not registered": {[]http.HandlerFunc{refusal(http.StatusConflict, "MissingSubscriptionRegistration", "Register Microsoft.CostManagement.")}, engine.ClassTerminal, 0, "HTTP 409 Conflict (MissingSubscriptionRegistration)"},
		"moved":          {[]http.HandlerFunc{reply(http.StatusTemporaryRedirect, "", "Location", "https://evil.example/")}, engine.ClassTerminal, 0, "HTTP 307 Temporary Redirect"},
		"found":          {[]http.HandlerFunc{reply(http.StatusFound, "", "Location", "https://management.azure.com"+queryPath)}, engine.ClassTerminal, 0, "HTTP 302 Found"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, c.answers...)
			got, err := l.account().MonthToDate(t.Context(), "")
			if c.class == "" {
				if err != nil || got.Total != 1 {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if err == nil {
				t.Fatalf("got %+v", got)
			}
			f := remediators.Failure(err)
			if f.Class != c.class || f.RetryAfter != c.after || !strings.Contains(f.Message, c.want) {
				t.Errorf("%s after %s: %s; want %s after %s: %s", f.Class, f.RetryAfter, f.Message, c.class, c.after, c.want)
			}
			if !strings.Contains(f.Message, subscription) || strings.Contains(f.Message, "\n") || len(f.Message) > 1000 {
				t.Errorf("%d bytes: %s", len(f.Message), f.Message)
			}
			noSecret(t, f.Message)
		})
	}
}

// TestWhoeverGivesUpIsNotKeptWaiting holds the answer back until the asker is gone.
func TestWhoeverGivesUpIsNotKeptWaiting(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	l := newLocal(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	got, err := l.account().MonthToDate(ctx, "")
	if !errors.Is(err, context.Canceled) || remediators.ClassOf(err) != engine.ClassRetryable {
		t.Errorf("got %+v, %v", got, err)
	}
}

// roundTrip is a transport without a network, for time that passes by itself.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func offline(t *testing.T, f roundTrip) *Account {
	t.Helper()
	a, err := newAccount(subscription, &azfake.TokenCredential{}, azcore.ClientOptions{Cloud: cloud.AzurePublic, Transport: client(f)}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestSilenceEnds: each request and the whole question have an end, whatever the
// asker's patience is.
func TestSilenceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		silent := offline(t, func(r *http.Request) (*http.Response, error) {
			asked++
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		_, err := silent.MonthToDate(context.Background(), "")
		if took := time.Since(start); asked != 4 || took < 4*tryTimeout || took > costTimeout || remediators.ClassOf(err) != engine.ClassRetryable {
			t.Errorf("asked %d times in %s: %v", asked, took, err)
		}
		// With the delays that the SDK has by itself.
		asked, start = 0, time.Now()
		failing := offline(t, func(*http.Request) (*http.Response, error) {
			asked++
			return nil, errors.New("no route")
		})
		_, err = failing.MonthToDate(context.Background(), "")
		if took := time.Since(start); asked != 4 || took < 5*time.Second || took > 20*time.Second || !strings.Contains(err.Error(), "no route") {
			t.Errorf("asked %d times in %s: %v", asked, took, err)
		}
	})
}

// TestAnAddressIsNotRepeated: http.Client puts the whole URL into each error.
func TestAnAddressIsNotRepeated(t *testing.T) {
	t.Parallel()
	a := offline(t, func(*http.Request) (*http.Response, error) { return nil, errors.New("no route") })
	a.retry.RetryDelay = time.Nanosecond
	if _, err := a.MonthToDate(t.Context(), ""); err == nil || strings.Contains(err.Error(), "https://") {
		t.Errorf("got %v", err)
	}
}
