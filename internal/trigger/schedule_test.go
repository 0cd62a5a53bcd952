package trigger

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return v.UTC()
}

// TestJudgeSchedule looks at a schedule at one time after another, and says what
// each look finds.
func TestJudgeSchedule(t *testing.T) {
	t.Parallel()
	type look struct{ now, finds, start string }
	for name, c := range map[string]struct {
		on    string
		looks []look
	}{
		"what was before the rule is not made up for": {
			`{schedule: {cron: "0 20 * * *", missed: once}}`,
			[]look{{"2026-03-01T20:01:00Z", "began", ""}, {"2026-03-02T19:59:59Z", "", ""}, {"2026-03-02T20:00:00Z", "started", "2026-03-02T20:00:00Z"}},
		},
		"each start takes the place of the one before": {
			`{schedule: {cron: "*/10 * * * *"}}`,
			[]look{
				{"2026-03-01T00:00:00Z", "began", ""},
				{"2026-03-01T00:10:02Z", "started", "2026-03-01T00:10:00Z"},
				{"2026-03-01T00:20:01Z", "started", "2026-03-01T00:20:00Z"},
			},
		},
		"a start that a failover delays is on time": {
			`{schedule: {cron: "0 20 * * *"}}`,
			[]look{{"2026-03-01T00:00:00Z", "began", ""}, {"2026-03-01T20:05:00Z", "started", "2026-03-01T20:00:00Z"}},
		},
		"one that nobody saw is passed over": {
			`{schedule: {cron: "0 20 * * *"}}`,
			[]look{{"2026-03-01T00:00:00Z", "began", ""}, {"2026-03-01T20:05:01Z", "missed", ""}, {"2026-03-02T20:00:00Z", "started", "2026-03-02T20:00:00Z"}},
		},
		"or made up for, the newest only": {
			`{schedule: {cron: "0 * * * *", missed: once}}`,
			[]look{{"2026-03-01T00:30:00Z", "began", ""}, {"2026-04-20T07:59:59Z", "started", "2026-04-20T07:00:00Z"}},
		},
		"a restore ends it, also late": {
			`{schedule: {cron: "0 20 * * *", restore: "0 8 * * *"}}`,
			[]look{
				{"2026-03-01T00:00:00Z", "began", ""},
				{"2026-03-01T20:00:00Z", "started", "2026-03-01T20:00:00Z"},
				{"2026-03-02T07:59:59Z", "", ""},
				{"2026-03-02T11:00:00Z", "restored", ""},
			},
		},
		"a restore that was missed for a day ends it, and the next start counts": {
			`{schedule: {cron: "0 20 * * *", restore: "0 8 * * *"}}`,
			[]look{
				{"2026-03-01T00:00:00Z", "began", ""},
				{"2026-03-01T20:00:00Z", "started", "2026-03-01T20:00:00Z"},
				{"2026-03-02T20:01:00Z", "restored", ""},
				{"2026-03-02T20:01:00Z", "started", "2026-03-02T20:00:00Z"},
			},
		},
		"what is over is not begun, even to be made up for": {
			`{schedule: {cron: "0 20 * * *", restore: "0 8 * * *", missed: once}}`,
			[]look{{"2026-03-01T00:00:00Z", "began", ""}, {"2026-03-02T08:00:00Z", "missed", ""}},
		},
		"what is not over is": {
			`{schedule: {cron: "0 20 * * *", restore: "0 8 * * *", missed: once}}`,
			[]look{{"2026-03-01T00:00:00Z", "began", ""}, {"2026-03-02T07:59:00Z", "started", "2026-03-01T20:00:00Z"}},
		},
		"a start while it is on begins nothing": {
			`{schedule: {cron: "0 20,22 * * *", restore: "0 8 * * *"}}`,
			[]look{
				{"2026-03-01T00:00:00Z", "began", ""},
				{"2026-03-01T20:00:00Z", "started", "2026-03-01T20:00:00Z"},
				{"2026-03-01T22:00:00Z", "", ""},
				{"2026-03-02T08:00:00Z", "restored", ""},
				{"2026-03-02T08:00:01Z", "", ""},
			},
		},
		"in a time zone, over a change of its clocks": { // 02:30 is skipped on 29 March
			`{schedule: {cron: "30 2 * * *", timezone: Europe/Berlin}}`,
			[]look{
				{"2026-03-28T00:00:00Z", "began", ""},
				{"2026-03-28T01:30:00Z", "started", "2026-03-28T01:30:00Z"},
				{"2026-03-29T00:59:59Z", "", ""},
				{"2026-03-29T01:00:00Z", "started", "2026-03-29T01:00:00Z"},
				{"2026-03-30T00:30:00Z", "started", "2026-03-30T00:30:00Z"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr, r := trigger(t, c.on), Record{}
			for _, l := range c.looks {
				before := r
				next, found := judgeSchedule(tr, r, at(t, l.now))
				if string(found) != l.finds {
					t.Fatalf("at %s: %q, want %q (the record was %+v)", l.now, found, l.finds, before)
				}
				if r = next; found == started && !r.Alert.StartsAt.Equal(at(t, l.start)) {
					t.Errorf("at %s: it starts at %s, want %s", l.now, r.Alert.StartsAt, l.start)
				}
				if again, found := judgeSchedule(tr, r, at(t, l.now)); l.finds == "" && found != nothing {
					t.Errorf("at %s, once more: %q: %+v", l.now, found, again)
				}
			}
		})
	}
}

func TestScheduleRaisesAValidAlert(t *testing.T) {
	t.Parallel()
	tr := trigger(t, `{schedule: {cron: "0 20 * * *", timezone: Asia/Seoul, restore: "0 8 * * *", labels: {severity: info, team: platform}}}`)
	r, _ := judgeSchedule(tr, Record{Tick: at(t, "2026-03-01T00:00:00Z")}, at(t, "2026-03-01T11:00:03Z"))
	a := r.Alert
	if err := a.Validate(); err != nil {
		t.Fatal(err)
	}
	if a.Source != "trigger/schedule" || a.Name != "r" || a.Severity != "info" || a.Labels["team"] != "platform" || a.Labels["alertname"] != "r" {
		t.Errorf("%+v", a)
	}
	if !r.At.Equal(at(t, "2026-03-01T11:00:03Z")) || !r.Period || r.Sent {
		t.Errorf("%+v", r)
	}
	end, v := judgeSchedule(tr, r, at(t, "2026-03-02T00:00:00Z"))
	if v != restored || end.Alert.Status != alert.Resolved || end.Alert.Episode() != a.Episode() || !end.Alert.EndsAt.Equal(at(t, "2026-03-01T23:00:00Z")) {
		t.Errorf("%q %+v", v, end)
	}
}

// A rule that loses its restore must not leave for ever what its alert stands for.
func TestARestoreThatIsTakenOutOfTheRuleEndsItNow(t *testing.T) {
	t.Parallel()
	with := trigger(t, `{schedule: {cron: "0 20 * * *", restore: "0 8 * * *"}}`)
	without := trigger(t, `{schedule: {cron: "0 20 * * *"}}`)
	r, _ := judgeSchedule(with, Record{Tick: at(t, "2026-03-01T00:00:00Z")}, at(t, "2026-03-01T20:00:00Z"))
	if next, v := judgeSchedule(without, r, at(t, "2026-03-01T20:00:01Z")); v != restored || next.Firing() {
		t.Errorf("%q %+v", v, next)
	}
}
