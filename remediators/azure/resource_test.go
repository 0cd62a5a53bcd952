package azure

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

func TestPlaces(t *testing.T) {
	t.Parallel()
	accounts := Accounts{"default": &Account{subscription: strings.ToUpper(subscription)}}
	const zone = "/providers/Microsoft.Network/dnsZones/Example.org"
	at, err := accounts.at(engine.Target{System: "azure", Account: "default", Name: group + zone}, "microsoft.network/DNSZONES")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := at.target("A", "www").Name, strings.ToLower(group+zone+"/A/www"); got != want || at.target().Validate() != nil {
		t.Errorf("got %s, want %s", got, want)
	}
	deep, err := accounts.at(at.target("A", "*"), "Microsoft.Network/dnsZones/A")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := deep.path("Microsoft.Network/dnsZones/A"), strings.ToLower(group)+"/providers/Microsoft.Network/dnsZones/example.org/A/%2A"; !strings.EqualFold(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	for name, c := range map[string]struct {
		target engine.Target
		says   string
	}{
		"another system":       {engine.Target{System: "http", Name: "x"}, `system is "http"`},
		"an unknown account":   {engine.Target{System: "azure", Account: "x", Name: group + zone}, "known are: default"},
		"no id":                {engine.Target{System: "azure", Account: "default", Name: "example.org"}, "want its id"},
		"a query":              {engine.Target{System: "azure", Account: "default", Name: group + zone + "?x=y"}, "want its id"},
		"a way up":             {engine.Target{System: "azure", Account: "default", Name: group + "/providers/Microsoft.Network/dnsZones/.."}, "want its id"},
		"another type":         {engine.Target{System: "azure", Account: "default", Name: group + "/providers/Microsoft.Cache/redis/r"}, "is a Microsoft.Cache/redis, want a Microsoft.Network/dnsZones"},
		"another subscription": {engine.Target{System: "azure", Account: "default", Name: strings.Replace(group, "3f9a", "4f9a", 1) + zone}, "another subscription"},
	} {
		if _, err := accounts.at(c.target, "Microsoft.Network/dnsZones"); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnswersToAChangeAreClassified(t *testing.T) {
	t.Parallel()
	a := &Account{now: time.Now}
	for code, want := range map[int]engine.Class{
		302: engine.ClassUnknown, 400: engine.ClassTerminal, 401: engine.ClassTerminal, 403: engine.ClassTerminal, 404: engine.ClassTerminal,
		408: engine.ClassUnknown, 409: engine.ClassRetryable, 412: engine.ClassPlanChanged, 422: engine.ClassTerminal, 429: engine.ClassRetryable,
		500: engine.ClassUnknown, 502: engine.ClassUnknown, 503: engine.ClassUnknown, 504: engine.ClassUnknown,
	} {
		answer := &http.Response{StatusCode: code, Header: http.Header{"Retry-After": {"9"}}, Body: http.NoBody}
		err := a.changeFailed("x", true, &azcore.ResponseError{StatusCode: code, RawResponse: answer})
		if remediators.ClassOf(err) != want || errors.Is(err, errStale) != (code == 412) {
			t.Errorf("%d: %v is %s, want %s", code, err, remediators.ClassOf(err), want)
		}
		if f := remediators.Failure(err); want == engine.ClassRetryable && f.RetryAfter != 9*time.Second {
			t.Errorf("%d: again after %v", code, f.RetryAfter)
		}
	}
}

func TestMarks(t *testing.T) {
	t.Parallel()
	var m marks
	for n := range 2 * maxMarks {
		m = marksOf(m.add(strings.Repeat("x", 400+n)).text())
	}
	if len(m) != maxMarks || len(m.text()) > 256 || !m.has(strings.Repeat("x", 400+2*maxMarks-1)) || m.has(strings.Repeat("x", 400)) {
		t.Errorf("%d marks in %d characters: %s", len(m), len(m.text()), m.text())
	}
	if m := marksOf(""); m.has("") || len(m) != 0 {
		t.Errorf("%v", m)
	}
}
