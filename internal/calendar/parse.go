package calendar

import (
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the zones, for a host that has none

	"github.com/robfig/cron/v3"
)

// field is one of the five of an expression.
type field struct {
	name string
	part cron.ParseOption
	// mend says what can stand there.
	mend string
	bits func(*cron.SpecSchedule) uint64
}

func fields() []field {
	return []field{
		{"minute", cron.Minute, "write 0 to 59, as 30, */15, 0-30 or 0,30", func(s *cron.SpecSchedule) uint64 { return s.Minute }},
		{"hour", cron.Hour, "write 0 to 23, as 2, */4, 9-17 or 8,20", func(s *cron.SpecSchedule) uint64 { return s.Hour }},
		{"day of the month", cron.Dom, "write 1 to 31, as 1, */2, 1-7 or 1,15", func(s *cron.SpecSchedule) uint64 { return s.Dom }},
		{"month", cron.Month, "write 1 to 12 or jan to dec, as 6, jan-mar or 1,7", func(s *cron.SpecSchedule) uint64 { return s.Month }},
		{"day of the week", cron.Dow, "write 0 (Sunday) to 6 or sun to sat, as 1-5 or sat,sun", func(s *cron.SpecSchedule) uint64 { return s.Dow }},
	}
}

// star is the bit that the library sets for a field that is not restricted.
const star = 1 << 63

// short are the expressions that short forms stand for.
func short() map[string]string {
	return map[string]string{
		"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
		"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
	}
}

// Parse reads a cron expression and the name of an IANA time zone, which is UTC
// if it is empty. An expression that no day ever fits is an error. Errors name
// the field that is wrong and say what to write.
func Parse(expression, zone string) (Schedule, error) {
	location, err := location(zone)
	if err != nil {
		return Schedule{}, err
	}
	whole, known := short()[expression]
	if !known {
		whole = expression
		if strings.HasPrefix(expression, "@") {
			return Schedule{}, fmt.Errorf("there is no short form %q: write @hourly, @daily, @weekly, @monthly or @yearly, or five fields", expression)
		}
	}
	texts := strings.Fields(whole)
	if len(texts) != len(fields()) {
		return Schedule{}, fmt.Errorf("%q has %d fields, and a cron expression has 5, from minute and hour over day and month to day of the week, as 0 2 * * *", expression, len(texts))
	}
	spec := cron.SpecSchedule{Second: 1, Location: time.UTC}
	for i, into := range []*uint64{&spec.Minute, &spec.Hour, &spec.Dom, &spec.Month, &spec.Dow} {
		if *into, err = fields()[i].read(texts[i]); err != nil {
			return Schedule{}, err
		}
	}
	if !happens(spec) {
		return Schedule{}, fmt.Errorf("%q never happens: none of its months has such a day of the month", expression)
	}
	return Schedule{spec: spec, location: location}, nil
}

func location(zone string) (*time.Location, error) {
	if zone == "" {
		return time.UTC, nil
	}
	l, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return nil, fmt.Errorf("there is no time zone %q: write an IANA name, as Asia/Seoul or Europe/Berlin, or UTC", zone)
	}
	return l, nil
}

// read gives the values of a field as bits. The library takes more than the
// documented forms, some of it for something else than it looks like.
func (f field) read(text string) (uint64, error) {
	bad := fmt.Errorf("the %s cannot be %q: %s", f.name, text, f.mend)
	for element := range strings.SplitSeq(text, ",") {
		if !regexp.MustCompile(`^(\*|[0-9A-Za-z]+(-[0-9A-Za-z]+)?)(/\d+)?$`).MatchString(element) {
			return 0, bad
		}
	}
	schedule, err := cron.NewParser(f.part).Parse(text)
	spec, ok := schedule.(*cron.SpecSchedule)
	if err != nil || !ok {
		return 0, bad
	}
	return f.bits(spec), nil
}

// happens reports whether there is a day that the expression fits.
func happens(s cron.SpecSchedule) bool {
	if s.Dom&star != 0 || s.Dow&star == 0 {
		// Any day of the month will do, or else a day of the week.
		return true
	}
	longest := []int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}
	first := bits.TrailingZeros64(s.Dom)
	return slices.ContainsFunc([]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, func(month int) bool {
		return s.Month&(1<<month) != 0 && first <= longest[month-1]
	})
}
