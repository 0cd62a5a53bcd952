package receiver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
)

// oneBadOfThree has a bad alert in the middle.
func oneBadOfThree() string {
	return `{"alerts":[` + element(0, "") + `,{"status":"pending","labels":{"alertname":"Odd"}},` + element(2, "") + `]}`
}

// told is the body of a 202.
type told struct {
	Delivery    string
	Alerts      int
	Quarantined int
	Warnings    []string
}

func (a answer) told(t testing.TB) (got told) {
	t.Helper()
	if a.status != http.StatusAccepted {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatalf("%q: %v", a.body, err)
	}
	return got
}

func TestAcceptsInPart(t *testing.T) {
	t.Parallel()
	s := newShelf()
	r := start(t, s, nil)
	text := oneBadOfThree()
	got := r.post(t, "am", text).told(t)
	if got.Alerts != 2 || got.Quarantined != 1 || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], `alerts[1].status is "pending"`) {
		t.Errorf("told %+v", got)
	}
	stored := s.deliveries(t)
	if len(stored) != 1 || stored[0].ID != got.Delivery || len(stored[0].Alerts) != 2 || stored[0].Alerts[1].Labels["instance"] != "host-00002" {
		t.Fatalf("stored %+v", stored)
	}
	if w := stored[0].Warnings; len(w) != 1 || w[0] != got.Warnings[0] {
		t.Errorf("the ledger will not know of it: %q", w)
	}
	if len(s.quarantine) != 1 {
		t.Fatalf("%d in quarantine", len(s.quarantine))
	}
	q := s.quarantine[0]
	if reason := q.headers[receiver.HeaderReason]; q.id != got.Delivery || string(q.data) != text ||
		!strings.HasPrefix(reason, "refused 1 of 3 alerts: alerts[1].status") {
		t.Errorf("kept %s %q", q.id, reason)
	}
	want := `
# HELP paramedic_receiver_alerts_accepted_total Alerts answered with 202, duplicates included.
# TYPE paramedic_receiver_alerts_accepted_total counter
paramedic_receiver_alerts_accepted_total{source=""} 0
paramedic_receiver_alerts_accepted_total{source="am"} 2
paramedic_receiver_alerts_accepted_total{source="open"} 0
# HELP paramedic_receiver_alerts_quarantined_total Alerts that could not be used, of bodies whose other alerts were accepted.
# TYPE paramedic_receiver_alerts_quarantined_total counter
paramedic_receiver_alerts_quarantined_total{source=""} 0
paramedic_receiver_alerts_quarantined_total{source="am"} 1
paramedic_receiver_alerts_quarantined_total{source="open"} 0
# HELP paramedic_receiver_quarantined_total Bodies kept because they could not be handled, or not wholly.
# TYPE paramedic_receiver_quarantined_total counter
paramedic_receiver_quarantined_total{source=""} 0
paramedic_receiver_quarantined_total{source="am"} 1
paramedic_receiver_quarantined_total{source="open"} 0
`
	if err := testutil.GatherAndCompare(r.registry, strings.NewReader(want), "paramedic_receiver_alerts_accepted_total",
		"paramedic_receiver_alerts_quarantined_total", "paramedic_receiver_quarantined_total"); err != nil {
		t.Error(err)
	}
	if n := strings.Count(r.log.String(), `"webhook accepted in part"`); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// Both stores must have taken their part before anything is claimed, the
// quarantine first: without it nothing is stored.
func TestHalfStoredIsNotAccepted(t *testing.T) {
	t.Parallel()
	for failing := range int64(2) {
		s := newShelf()
		var n atomic.Int64
		s.fault = func(context.Context) error {
			if n.Add(1)-1 == failing {
				return errors.New("not now")
			}
			return nil
		}
		r := start(t, s, nil)
		if got := r.post(t, "am", oneBadOfThree()); got.status != 503 {
			t.Errorf("failing %d: %d %s", failing, got.status, got.body)
		} else if p := got.problem(t); !strings.HasSuffix(fmt.Sprint(p["type"]), "not-durable") {
			t.Errorf("failing %d: %v", failing, p)
		}
		if kept, stored := len(s.quarantine), len(s.deliveries(t)); int64(kept) != failing || stored != 0 {
			t.Errorf("failing %d: %d kept, %d stored", failing, kept, stored)
		}
		// The sender comes again.
		if got := r.post(t, "am", oneBadOfThree()).told(t); got.Alerts != 2 || got.Quarantined != 1 {
			t.Errorf("again: %+v", got)
		}
		if kept, stored := len(s.quarantine), len(s.deliveries(t)); int64(kept) != failing+1 || stored != 1 {
			t.Errorf("again after failing %d: %d kept, %d stored", failing, kept, stored)
		}
	}
}

// An alert that is too large for any message is refused beside those that fit.
func TestOneAlertTooLargeBesideOthers(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.max = 1 << 20
	r := start(t, s, nil)
	large := element(3, strings.Repeat("x", 200<<10))
	text := `{"alerts":[` + element(0, "") + `,8,` + element(2, strings.Repeat("y", 100<<10)) + `,` + large + `,` + element(4, strings.Repeat("z", 100<<10)) + `]}`
	got := r.post(t, "am", text).told(t)
	if got.Alerts != 3 || got.Quarantined != 2 || !strings.Contains(got.Warnings[0], "alerts[1] is a JSON number") ||
		!strings.Contains(got.Warnings[0], "alerts[3] is 2") {
		t.Errorf("told %+v", got)
	}
	var names []string
	for _, d := range s.deliveries(t) {
		for _, a := range d.Alerts {
			names = append(names, a.Labels["instance"])
		}
	}
	if fmt.Sprint(names) != "[host-00000 host-00002 host-00004]" {
		t.Errorf("stored %v", names)
	}
	if p := r.post(t, "am", `{"alerts":[8,`+large+`]}`).problem(t); p["status"] != 413.0 ||
		!strings.Contains(fmt.Sprint(p["detail"]), "alerts[0] is a JSON number") || !strings.Contains(fmt.Sprint(p["detail"]), "alerts[1] is 2") {
		t.Errorf("nothing left: %v", p)
	}
}

// spoilt is a decoder that says of one alert that it is usable, and of others in
// any order that they are not.
type spoilt struct {
	panicking
	refused []receiver.RefusedAlert
}

func (d spoilt) Decode(source string, _ http.Header, _ []byte, _ time.Time) (receiver.Decoded, error) {
	good := alert.Alert{Source: source, Fingerprint: "f", Status: alert.Firing}
	return receiver.Decoded{Alerts: []alert.Alert{good, {Name: "Bad"}, good}, Refused: d.refused, Warnings: []string{"odd"}}, nil
}

func TestWhatADecoderRefusesIsSifted(t *testing.T) {
	t.Parallel()
	many := make([]receiver.RefusedAlert, 5000)
	for i := range many {
		many[i] = receiver.RefusedAlert{Index: 10 + i, Reason: fmt.Sprintf("alerts[%d] é\r\n%s", 10+i, strings.Repeat("long ", 40))}
	}
	for _, c := range []struct {
		refused []receiver.RefusedAlert
		want    []string
	}{
		{nil, []string{"refused 1 of 3", `alerts[1]: alert "Bad": no source`}},
		{[]receiver.RefusedAlert{{Index: 3, Reason: "third"}, {Index: 0, Reason: "zeroth"}}, []string{"refused 3 of 5", "zeroth; alerts[2]: alert", "third"}},
		{[]receiver.RefusedAlert{{Index: 7}}, []string{"alerts[7]"}},
		{many, []string{"refused 5001 of 5003", "alerts[10] ", "; alerts[15]", "more"}},
		{[]receiver.RefusedAlert{{Index: 0, Reason: strings.Repeat("endless ", 200)}}, []string{"alerts[0]; alerts[2]: alert"}},
		{[]receiver.RefusedAlert{{Index: -5, Reason: "below"}, {Index: -5, Reason: "twice"}}, []string{"below; twice"}},
	} {
		s := newShelf()
		r := start(t, s, func(o *receiver.Options) { o.Sources[0].Decoder = spoilt{panicking{400}, c.refused} })
		got := r.post(t, "am", "x").told(t)
		if got.Alerts != 2 || got.Quarantined != len(c.refused)+1 || len(got.Warnings) != 2 || got.Warnings[1] != "odd" {
			t.Errorf("told %+v", got)
		}
		reason := s.quarantine[0].headers[receiver.HeaderReason]
		for _, want := range c.want {
			if !strings.Contains(reason, want) {
				t.Errorf("the reason does not say %q: %s", want, reason)
			}
		}
		if len(reason) > 1000 || strings.ContainsAny(reason, "\r\n") || !strings.HasPrefix(got.Warnings[0], reason) {
			t.Errorf("reason of %d bytes: %s", len(reason), reason)
		}
	}
}

// Place is the inverse of taking the refused ones out.
func TestPlace(t *testing.T) {
	t.Parallel()
	const size = 6
	for set := range 1 << size {
		var d receiver.Decoded
		var places []int
		for i := range size {
			if set&(1<<i) != 0 {
				d.Refused = append(d.Refused, receiver.RefusedAlert{Index: i})
			} else {
				places = append(places, i)
			}
		}
		for i, want := range places {
			if got := d.Place(i); got != want {
				t.Errorf("refused %s: Alerts[%d] was at %d, got %d", strconv.FormatInt(int64(set), 2), i, want, got)
			}
		}
	}
}
