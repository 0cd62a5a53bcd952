package log

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/report"
)

func TestOneLineForEachNotice(t *testing.T) {
	var out bytes.Buffer
	r := New(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})))
	if r.Name() != "log" {
		t.Errorf("got %s", r.Name())
	}
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, n := range []report.Notice{
		{ID: "1-0", At: at, Kind: report.Cured, Text: "Cured.", Run: "r", Rule: "rule", Target: "t", Alert: &report.Alert{Name: "Down"}},
		{ID: "2-0", At: at, Kind: report.Parked, Text: "Look\nhere.", Run: "r", Attempt: 2, Until: at},
		{ID: "3-0", At: at, Kind: report.Held, Text: "Held.", Guard: "budget"},
		{ID: "4-0", At: at, Kind: report.Paused, Text: "Paused.", Scope: "all", By: "kim"},
	} {
		if err := r.Report(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		`level=INFO msg=notice text=Cured. notice=1-0 kind=cured event_at=2026-11-23T12:00:00.000Z run=r rule=rule target=t alert=Down`,
		`level=ERROR msg=notice text="Look\nhere." notice=2-0 kind=parked event_at=2026-11-23T12:00:00.000Z run=r attempt=2 until=2026-11-23T12:00:00Z`,
		`level=INFO msg=notice text=Held. notice=3-0 kind=held event_at=2026-11-23T12:00:00.000Z guard=budget`,
		`level=WARN msg=notice text=Paused. notice=4-0 kind=paused event_at=2026-11-23T12:00:00.000Z scope=all by=kim`,
	}
	if got := strings.TrimSpace(out.String()); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}
