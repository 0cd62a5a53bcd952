package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
)

// seen is a prober that sees what it is told.
type seen struct {
	ok  bool
	err error
}

func (*seen) Spec() verify.Spec { return verify.Spec{Kind: "http"} }

func (s *seen) Probe(context.Context, engine.Target, json.RawMessage) (engine.Check, error) {
	return engine.Check{Kind: "http", OK: s.ok, Detail: map[bool]string{true: "200 OK", false: "503 Service Unavailable"}[s.ok]}, s.err
}

// TestProbe makes one look a second: + succeeds, - fails, ! cannot be made. What
// follows from each stands below it: F raises, R resolves.
func TestProbe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ on, looks, follows string }{
		{`{probe: {every: 1s, timeout: 1s, failures: 3, http: {}}}`, "++--+---++--", ".......FR..."},
		{`{probe: {every: 1s, timeout: 1s, failures: 1, successes: 2, http: {}}}`, "-+-++-+++", "F...RF.R."},
		// A look that could not be made is neither.
		{`{probe: {every: 1s, timeout: 1s, failures: 3, http: {}}}`, "-!-!-!+", "....F.R"},
		{`{probe: {every: 1s, timeout: 1s, failures: 1, http: {}}}`, "!!!!!!", "......"},
	} {
		tr, w, s := trigger(t, c.on), newWorld(), &seen{}
		start := at(t, "2026-03-01T00:00:00Z")
		now := start
		p := testParts(t, w, func() time.Time { return now })
		r := &probe{parts: p, trigger: tr, prober: s, repeats: repeats{book: p.book}}
		got := ""
		for _, look := range c.looks {
			*s = seen{ok: look == '+'}
			if look == '!' {
				s.err = errors.New("no such parameter")
			}
			before := len(w.alerts())
			next, err := r.step(t.Context(), now)
			if (err != nil) != (look == '!') {
				t.Fatal(err)
			}
			if err == nil && !next.Equal(now.Add(time.Second)) {
				t.Errorf("it looks again at %s", next)
			}
			switch all := w.alerts(); {
			case len(all) == before:
				got += "."
			case all[before].Status == alert.Firing:
				got += "F"
				if a := all[before]; a.Annotations["description"] != "503 Service Unavailable" || a.StartsAt.After(now) {
					t.Errorf("%+v", a)
				}
			default:
				got += "R"
			}
			now = now.Add(time.Second)
		}
		if got != c.follows {
			t.Errorf("%s\n%s  looks\n%s  follow\n%s  should", c.on, c.looks, got, c.follows)
		}
	}
}

func TestAProbesAlertStartsWithTheFirstFailureAndIsRepeatedWhileItFails(t *testing.T) {
	t.Parallel()
	tr, w, s := trigger(t, `{probe: {every: 30s, http: {}}}`), newWorld(), &seen{}
	start := at(t, "2026-03-01T00:00:00Z")
	now := start
	p := testParts(t, w, func() time.Time { return now })
	r := &probe{parts: p, trigger: tr, prober: s, repeats: repeats{book: p.book}}
	for now.Sub(start) <= 16*time.Minute {
		next, err := r.step(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		now = next
	}
	got := w.alerts()
	if len(got) != 4 || !got[0].StartsAt.Equal(start) {
		t.Fatalf("%d messages, the first starts at %s", len(got), got[0].StartsAt)
	}
	for _, a := range got {
		if a.Episode() != got[0].Episode() {
			t.Errorf("another episode: %+v", a)
		}
	}
	// A failover forgets the streak, not the alert: one success resolves it.
	*s = seen{ok: true}
	p2 := testParts(t, w, func() time.Time { return now })
	other := &probe{parts: p2, trigger: tr, prober: s, repeats: repeats{book: p2.book}}
	if _, err := other.step(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if a := w.alerts()[4]; a.Status != alert.Resolved || a.Episode() != got[0].Episode() {
		t.Errorf("%+v", a)
	}
}
