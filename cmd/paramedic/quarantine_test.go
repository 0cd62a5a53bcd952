package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/web"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/internal/web/webtest"
)

// decoding takes the place of the receiver: what the body says is what becomes of
// it, and before the mend it is refused.
func decoding(mended *atomic.Bool) web.Replayer {
	return func(_ context.Context, _ bus.QuarantineEntry, body []byte, _ bool) (api.ReplayedEntry, error) {
		word, detail, _ := strings.Cut(string(body), " ")
		switch {
		case word == "doubt":
			return api.ReplayedEntry{}, errors.New("in doubt")
		case word == "never" || !mended.Load():
			return api.ReplayedEntry{Outcome: api.Refused, Detail: "it is \x1b[31modd"}, nil
		case word == "ping":
			return api.ReplayedEntry{Outcome: api.Ignored, Detail: detail}, nil
		}
		return api.ReplayedEntry{Outcome: api.Replayed, Alerts: len(word)}, nil
	}
}

var received = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

// fill puts bodies into quarantine, as id, source, body.
func fill(t *testing.T, w *webtest.World, bodies ...[3]string) {
	t.Helper()
	for _, b := range bodies {
		headers := map[string]string{
			"Paramedic-Reason": "alerts[0] is \x1b[31mred", "Paramedic-Received-At": received.Format(time.RFC3339),
			"Content-Type": "application/json", "Paramedic-Headers-Missing": "Ce-Zone",
		}
		if _, err := w.Bus.PublishQuarantine(t.Context(), b[1], b[0], headers, []byte(b[2])); err != nil {
			t.Fatal(err)
		}
	}
}

func hospital(t *testing.T) (*webtest.World, person, *atomic.Bool) {
	t.Helper()
	var mended atomic.Bool
	w := webtest.Start(t, func(o *web.Options) { o.API.Replay = decoding(&mended) })
	return w, person{server: w.URL}, &mended
}

// says compares a command's whole output.
func (s said) says(t *testing.T, want string) {
	t.Helper()
	if s.out != want {
		t.Errorf("said\n%s\nwant\n%s", s.out, want)
	}
}

func (s said) finds(t *testing.T) said {
	t.Helper()
	if !errors.Is(s.failed, errFindings) {
		t.Errorf("ended with %v, want exit code %d\n%s", s.failed, exitFindings, s.out)
	}
	return s
}

func TestQuarantineListAndShow(t *testing.T) {
	t.Parallel()
	w, p, mended := hospital(t)
	p.runs(t, "quarantine", "list").says(t, "Nothing is in quarantine.\n")
	fill(t, w, [3]string{"ONE", "am", "1234"}, [3]string{"TWO", "azure", "never\x1b"}, [3]string{"THREE", "am", "ping a test"})
	next := `
Look closer:  paramedic quarantine show ID --try
Once mended:  paramedic quarantine replay ID... | --source NAME | --all
`
	at := moment(received)
	p.runs(t, "quarantine", "list").says(t, fmt.Sprintf(`ID     SOURCE  RECEIVED             BYTES  WHY
ONE    am      %[1]s  4      alerts[0] is �[31mred
TWO    azure   %[1]s  6      alerts[0] is �[31mred
THREE  am      %[1]s  11     alerts[0] is �[31mred
`, at)+next)
	p.runs(t, "quarantine", "list", "--source", "am", "--newest", "--limit", "1").says(t, fmt.Sprintf(`ID     SOURCE  RECEIVED             BYTES  WHY
THREE  am      %s  11     alerts[0] is �[31mred
and more: see --limit, or --after 3
`, at)+next)
	p.runs(t, "quarantine", "list", "--source", "am", "--newest", "--after", "3").has(t, "ONE")
	p.runs(t, "quarantine", "list", "--source", "a b").fails(t, `"a b" is not a source's name`)
	var list api.QuarantineList
	if err := json.Unmarshal([]byte(p.runs(t, "quarantine", "list", "-o", "json").out), &list); err != nil || len(list.Entries) != 3 {
		t.Errorf("%+v, %v", list, err)
	}

	head := fmt.Sprintf(`Delivery      ONE
Source        am
Received      %s
Size          4 bytes
Kept because  alerts[0] is �[31mred
Header        Content-Type: application/json
Not kept      Ce-Zone (so a replay may differ from what was sent)
`, at)
	replay, drop := "To replay     paramedic quarantine replay ONE\n", "To drop       paramedic quarantine drop ONE --reason WHY\n"
	p.runs(t, "quarantine", "show", "ONE").says(t, head+replay+drop)
	p.runs(t, "quarantine", "show", "ONE", "--try").says(t, head+"Now           still not: it is �[31modd\n"+drop)
	mended.Store(true)
	p.runs(t, "quarantine", "show", "ONE", "--try").says(t, head+"Now           it can be used: 4 alerts\n"+replay)
	p.runs(t, "quarantine", "show", "THREE", "--try").has(t, "Now           it can be read, and there is nothing to do: a test\n")
	p.runs(t, "quarantine", "show", "TWO", "--body").says(t, "never\x1b") // byte for byte, as it is no terminal
	if got := harmless("a\x1b[31m\r\nb\tc\x00é"); got != "a�[31m�\nb\tc�é" {
		t.Errorf("for a terminal it is %q", got)
	}
	var d shown
	if err := json.Unmarshal([]byte(p.runs(t, "quarantine", "show", "ONE", "--try", "-o", "json").out), &d); err != nil || d.Now == nil ||
		d.Now.Alerts != 4 || d.ID != "ONE" || d.MissingHeaders != "Ce-Zone" {
		t.Errorf("%+v, %v", d, err)
	}
	for _, flag := range [][]string{nil, {"--body"}, {"--try"}} {
		p.runs(t, append([]string{"quarantine", "show", "none"}, flag...)...).fails(t, `no body "none" is in quarantine`)
	}
	p.runs(t, "quarantine", "show", "ONE", "--try", "--body").fails(t, "[body try]")
	if list := p.runs(t, "quarantine", "list"); strings.Count(list.out, "\n") != 7 {
		t.Errorf("a look changed something:\n%s", list.out)
	}
}

func TestQuarantineReplay(t *testing.T) {
	t.Parallel()
	w, p, mended := hospital(t)
	p.runs(t, "quarantine", "replay", "--all").says(t, "Nothing is in quarantine.\n")
	fill(t, w,
		[3]string{"ONE", "am", "1"}, [3]string{"TWO", "azure", "never"}, [3]string{"THREE", "am", "ping a test"},
		[3]string{"FOUR", "azure", "1234"}, [3]string{"FIVE", "azure", "12345"})
	advice := `Mend the cause (the source's type or mapping, or a newer version), and replay again.
To pass over them: --keep-going. What nobody needs: paramedic quarantine drop ID --reason WHY.
`
	p.runs(t, "quarantine", "replay", "--source", "am").finds(t).says(t, `refused   ONE  am  it is �[31modd
Replayed: 0, with 0 alerts. Nothing to do for: 0.
Still not usable: 1. Left behind them: 1.
`+advice)
	mended.Store(true)
	p.runs(t, "quarantine", "replay", "--all").finds(t).says(t, `replayed  ONE  am  1 alert
refused   TWO  azure  it is �[31modd
ignored   THREE  am  a test
Replayed: 1, with 1 alert. Nothing to do for: 1.
Still not usable: 1. Left behind them: 2.
`+advice)
	p.runs(t, "quarantine", "replay", "FOUR", "ONE").finds(t).says(t, `absent    ONE    no body "ONE" is in quarantine: it was replayed, dropped or kept for its time already, or never was there
replayed  FOUR  azure  4 alerts
Replayed: 1, with 4 alerts. Nothing to do for: 0.
`)
	s := p.runs(t, "quarantine", "replay", "--all", "--keep-going", "-o", "json").finds(t)
	if s.out != `{"id":"TWO","source":"azure","outcome":"refused","detail":"it is \u001b[31modd"}`+"\n"+
		`{"id":"FIVE","source":"azure","outcome":"replayed","alerts":5}`+"\n" {
		t.Errorf("%s", s.out)
	}
	fill(t, w, [3]string{"SIX", "am", "123"})
	p.runs(t, "quarantine", "replay", "SIX").has(t).says(t, "replayed  SIX  am  3 alerts\nReplayed: 1, with 3 alerts. Nothing to do for: 0.\n")
	fill(t, w, [3]string{"SEVEN", "am", "doubt"}, [3]string{"EIGHT", "am", "1"})
	p.runs(t, "quarantine", "replay", "--source", "am").fails(t, "run it again")
	for _, args := range [][]string{{}, {"SEVEN", "--all"}, {"SEVEN", "--source", "am"}, {"--all", "--source", "am"}} {
		p.runs(t, append([]string{"quarantine", "replay"}, args...)...).fails(t, "say what to replay")
	}
}

// More than the server replays at once is asked for again and again; a source that
// has stopped stays so.
func TestQuarantineReplayOfMany(t *testing.T) {
	t.Parallel()
	w, p, mended := hospital(t)
	mended.Store(true)
	fill(t, w, [3]string{"STOP", "azure", "never"})
	for n := range 250 {
		fill(t, w, [3]string{fmt.Sprintf("N%03d", n), "am", "1"})
	}
	fill(t, w, [3]string{"LAST", "azure", "1"})
	s := p.runs(t, "quarantine", "replay", "--all").finds(t)
	for n, line := range strings.Split(s.out, "\n")[1:251] {
		if line != fmt.Sprintf("replayed  N%03d  am  1 alert", n) {
			t.Fatalf("line %d is %s", n, line)
		}
	}
	if !strings.Contains(s.out, "Replayed: 250, with 250 alerts. Nothing to do for: 0.\nStill not usable: 1. Left behind them: 1.\n") {
		t.Errorf("ended with %s", s.out[len(s.out)-300:])
	}
}

func TestQuarantineDrop(t *testing.T) {
	t.Parallel()
	w, p, _ := hospital(t)
	fill(t, w, [3]string{"ONE", "am", "1"}, [3]string{"TWO", "am", "2"}, [3]string{"THREE", "am", "3"})
	p.runs(t, "quarantine", "drop", "--reason", "x").fails(t, "at least 1 arg")
	p.runs(t, "quarantine", "drop", "ONE").fails(t, "--reason TEXT")
	p.runs(t, "quarantine", "drop", "ONE", "ONE", "--reason", "x").fails(t, "each body once")
	p.runs(t, "quarantine", "drop", "TWO", "NONE", "--reason", "a test").finds(t).says(t,
		"dropped  TWO   am\nabsent   NONE  it is not in quarantine\n")
	p.runs(t, "quarantine", "drop", "THREE", "--reason", "a test").has(t).says(t, "dropped  THREE  am\n")
	if s := p.runs(t, "quarantine", "list"); !strings.Contains(s.out, "ONE") || strings.Contains(s.out, "THREE") {
		t.Errorf("left:\n%s", s.out)
	}
	var got api.Dropped
	if err := json.Unmarshal([]byte(p.runs(t, "quarantine", "drop", "ONE", "--reason", "x", "-o", "json").out), &got); err != nil || len(got.Dropped) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}
