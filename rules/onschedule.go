package rules

import (
	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/calendar"
)

func scheduleShape() shape {
	return shape{what: "on.schedule", fields: []string{"cron", "timezone", "missed", "restore", "labels"}, required: []string{"cron"}}
}

func (f *file) scheduleTrigger(n *yaml.Node, t *Trigger) object {
	s := &ScheduleTrigger{}
	t.Schedule = s
	o, _ := f.object(n, scheduleShape())
	s.Timezone = f.timezone(o.get("timezone"))
	s.Cron, s.Starts = f.cron(o.get("cron"), "cron", s.Timezone)
	s.Restore, s.Restores = f.cron(o.get("restore"), "restore", s.Timezone)
	if v := o.get("missed"); v != nil {
		text, _ := f.oneOf(v, "missed", []string{"skip", "once"})
		s.Once = text == "once"
	}
	if s.Cron != "" && s.Cron == s.Restore {
		f.errorf(o.get("restore"), "restore is the same as cron: what begins would end at once")
	}
	return o
}

// timezone reads a time zone, UTC if there is none.
func (f *file) timezone(n *yaml.Node) string {
	const utc = "UTC"
	if n == nil {
		return utc
	}
	zone, ok := f.text(n, "timezone")
	if !ok {
		return utc
	}
	if _, err := calendar.Parse("@daily", zone); err != nil {
		f.errorf(n, "timezone: %s", err)
		return utc
	}
	return zone
}

// cron reads a cron expression.
func (f *file) cron(n *yaml.Node, what, zone string) (string, calendar.Schedule) {
	if n == nil {
		return "", calendar.Schedule{}
	}
	text, ok := f.text(n, what)
	if !ok {
		return "", calendar.Schedule{}
	}
	s, err := calendar.Parse(text, zone)
	if err != nil {
		f.errorf(n, "%s: %s", what, err)
	}
	return text, s
}
