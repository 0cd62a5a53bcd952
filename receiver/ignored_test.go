package receiver_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
)

// fixed is a decoder that finds the same in every body.
type fixed struct {
	panicking
	found receiver.Decoded
}

func (d fixed) Decode(string, http.Header, []byte, time.Time) (receiver.Decoded, error) {
	return d.found, nil
}

// A ping is answered and counted; nothing is stored of it.
func TestIgnores(t *testing.T) {
	t.Parallel()
	s := newShelf()
	r := start(t, s, func(o *receiver.Options) {
		o.Sources[0].Decoder = fixed{panicking{400}, receiver.Decoded{Ignored: "a ping\r\nof \"theirs\"", Warnings: []string{"odd"}}}
	})
	got := r.post(t, "am", "{}")
	if want := `{"delivery":"id-1","alerts":0,"ignored":"a ping  of \"theirs\"","warnings":["odd"]}` + "\n"; got.status != 202 || got.body != want {
		t.Errorf("%d %s, want %s", got.status, got.body, want)
	}
	if stored := s.deliveries(t); len(stored) != 0 || len(s.quarantine) != 0 {
		t.Errorf("stored %+v, kept %d", stored, len(s.quarantine))
	}
	want := `
# HELP paramedic_receiver_ignored_total Webhook requests answered with 202 that left nothing to do: pings, tests, notes.
# TYPE paramedic_receiver_ignored_total counter
paramedic_receiver_ignored_total{source=""} 0
paramedic_receiver_ignored_total{source="am"} 1
paramedic_receiver_ignored_total{source="open"} 0
# HELP paramedic_receiver_quarantined_total Bodies kept because they could not be handled, or not wholly.
# TYPE paramedic_receiver_quarantined_total counter
paramedic_receiver_quarantined_total{source=""} 0
paramedic_receiver_quarantined_total{source="am"} 0
paramedic_receiver_quarantined_total{source="open"} 0
`
	if err := testutil.GatherAndCompare(r.registry, strings.NewReader(want),
		"paramedic_receiver_ignored_total", "paramedic_receiver_quarantined_total"); err != nil {
		t.Error(err)
	}
	if n := strings.Count(r.log.String(), `"webhook ignored"`); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// What is there goes before what a decoder says about its absence.
func TestIgnoredHidesNothing(t *testing.T) {
	t.Parallel()
	good := alert.Alert{Source: "am", Fingerprint: "f", Status: alert.Firing}
	for name, c := range map[string]struct {
		found  receiver.Decoded
		status int
		stored int
		kept   int
	}{
		"a usable alert":             {receiver.Decoded{Alerts: []alert.Alert{good}}, 202, 1, 0},
		"an alert that is not valid": {receiver.Decoded{Alerts: []alert.Alert{{Name: "Bad"}}}, 400, 0, 1},
		"a refused alert":            {receiver.Decoded{Refused: []receiver.RefusedAlert{{Reason: "bad"}}}, 400, 0, 1},
	} {
		c.found.Ignored = "nothing to do"
		s := newShelf()
		r := start(t, s, func(o *receiver.Options) { o.Sources[0].Decoder = fixed{panicking{400}, c.found} })
		got := r.post(t, "am", "{}")
		if stored := len(s.deliveries(t)); got.status != c.status || stored != c.stored || len(s.quarantine) != c.kept ||
			strings.Contains(got.body, "ignored") {
			t.Errorf("%s: %d %s, stored %d, kept %d", name, got.status, got.body, stored, len(s.quarantine))
		}
	}
}
