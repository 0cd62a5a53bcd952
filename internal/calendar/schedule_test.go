package calendar_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/calendar"
)

// plain is a second reading of the documented rules, slow and by itself: it
// walks real time minute by minute and looks at the clock on the wall.
type plain struct {
	values [5][60]bool
	free   [5]bool
	zone   *time.Location
}

func read(t testing.TB, expression, zone string) plain {
	t.Helper()
	location, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	p := plain{zone: location}
	lowest, highest := [5]int{0, 0, 1, 1, 0}, [5]int{59, 23, 31, 12, 6}
	for i, text := range strings.Fields(expression) {
		p.free[i] = text == "*"
		for element := range strings.SplitSeq(text, ",") {
			span, by, stepped := strings.Cut(element, "/")
			from, to := lowest[i], highest[i]
			if first, last, ranged := strings.Cut(span, "-"); span != "*" {
				from = number(t, first)
				if ranged {
					to = number(t, last)
				} else if !stepped {
					to = from
				}
			}
			step := 1
			if stepped {
				step = number(t, by)
			}
			for v := from; v <= to; v += step {
				p.values[i][v] = true
			}
		}
	}
	return p
}

func number(t testing.TB, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// fits looks at a time of day and its date.
func (p plain) fits(w time.Time) bool {
	day := p.values[2][w.Day()]
	weekday := p.values[4][int(w.Weekday())]
	fit := day && weekday
	if !p.free[2] && !p.free[4] {
		fit = day || weekday
	}
	return fit && p.values[0][w.Minute()] && p.values[1][w.Hour()] && p.values[3][int(w.Month())]
}

// starts are all starts in (from, to], minute by minute.
func (p plain) starts(from, to time.Time) map[time.Time]bool {
	found := map[time.Time]bool{}
	everyHour := !slices.Contains(p.values[1][:24], false)
	previous := from.Add(-4 * time.Hour)
	shown := map[int64]bool{}
	before := previous.In(p.zone)
	for at := previous.Add(time.Minute); !at.After(to); at = at.Add(time.Minute) {
		local := at.In(p.zone)
		// Times of day between two minutes of real time were jumped over.
		w, end := clock(before).Add(time.Minute), clock(local)
		for ; !everyHour && w.Before(end); w = w.Add(time.Minute) {
			if p.fits(w) && at.After(from) {
				found[at] = true
			}
		}
		if p.fits(end) && at.After(from) && (everyHour || !shown[end.Unix()]) {
			found[at] = true
		}
		shown[end.Unix()] = true
		before = local
	}
	return found
}

func clock(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
}

func parse(t testing.TB, expression, zone string) calendar.Schedule {
	t.Helper()
	s, err := calendar.Parse(expression, zone)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// changes are days around which clocks change somewhere, and one at which none
// does.
func changes() []time.Time {
	day := func(year int, month time.Month, day int) time.Time {
		return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	}
	return []time.Time{
		day(2026, 3, 28), day(2026, 10, 24), // Berlin
		day(2026, 3, 7), day(2026, 10, 31), // New York
		day(2026, 4, 4), day(2026, 10, 3), // Lord Howe, by half an hour
		day(2011, 12, 29), // Apia left out a day
		day(2018, 11, 3),  // Sao Paulo had no midnight
		day(2024, 2, 28),
	}
}

func zones() []string {
	return []string{
		"Europe/Berlin", "America/New_York", "Asia/Seoul", "Australia/Lord_Howe", "Pacific/Apia", "America/Sao_Paulo", "UTC",
	}
}

func expressions() []string {
	return []string{
		"0 2 * * *", "30 2 * * *", "*/20 2 * * *", "*/7 * * * *", "0 * * * *", "15 1-3 * * *", "0 0 * * *", "59 23 31 12 *",
		"45 1,2 29 3 0", "10/20 */3 */2 * 1-5", "0 20 * * 1-5", "* 2 * * *", "0 1 29 2 *",
	}
}

// Next walks over exactly the starts that the plain reading finds.
func TestNextFindsEveryStart(t *testing.T) {
	t.Parallel()
	for _, zone := range zones() {
		for _, expression := range expressions() {
			s, p := parse(t, expression, zone), read(t, expression, zone)
			for _, from := range changes() {
				to := from.Add(36 * time.Hour)
				want := p.starts(from, to)
				for at := from; ; {
					next, ok := s.Next(at)
					if !ok || next.After(to) {
						break
					}
					if !want[next] {
						t.Errorf("%s in %s starts at %s, and must not", expression, zone, next)
					}
					if again, _ := s.Next(next.Add(-time.Nanosecond)); !again.Equal(next) {
						t.Errorf("%s in %s: just before %s the next is %s", expression, zone, next, again)
					}
					delete(want, next)
					at = next
				}
				for at := range want {
					t.Errorf("%s in %s does not start at %s", expression, zone, at)
				}
			}
		}
	}
}

func TestClockChangesByExample(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ expression, zone, after, want string }{
		// 02:30 does not exist on 29 March: the clocks jump to 03:00 at 01:00 UTC.
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z 2026-03-30T00:30:00Z"},
		// 02:30 comes twice on 25 October, at 00:30 and at 01:30 UTC.
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z"},
		{"30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-08T07:00:00Z 2026-03-09T06:30:00Z"},
		{"30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z 2026-11-02T06:30:00Z"},
		// Korea has no summer time.
		{"30 2 * * *", "Asia/Seoul", "2026-03-28T12:00:00Z", "2026-03-28T17:30:00Z 2026-03-29T17:30:00Z"},
		{"30 2 * * *", "Asia/Seoul", "2026-10-24T12:00:00Z", "2026-10-24T17:30:00Z 2026-10-25T17:30:00Z"},
		// Every hour goes by the time that passes.
		{"30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z 2026-10-25T02:30:00Z"},
		{"30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T00:30:00Z 2026-03-29T01:30:00Z"},
		{"0 12 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T12:00:00Z"},
		{"@weekly", "", "2026-11-24T00:00:00Z", "2026-11-29T00:00:00Z"},
		{"0 0 * jan SUN", "", "2026-11-24T00:00:00Z", "2027-01-03T00:00:00Z"},
	} {
		s := parse(t, c.expression, c.zone)
		at, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		for want := range strings.FieldsSeq(c.want) {
			next, ok := s.Next(at)
			if !ok || next.Format(time.RFC3339) != want {
				t.Errorf("%s in %s after %s: %s, want %s", c.expression, c.zone, at, next, want)
			}
			at = next
		}
	}
}

func TestTheZeroScheduleNeverStarts(t *testing.T) {
	t.Parallel()
	var s calendar.Schedule
	if at, ok := s.Next(changes()[0]); ok {
		t.Errorf("it starts at %s", at)
	}
	if open, until := (calendar.Window{Duration: time.Hour}).Open(changes()[0]); open || !until.IsZero() {
		t.Errorf("a window without a schedule: %v until %s", open, until)
	}
}

func TestParseNamesTheFieldAndTheMend(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ expression, zone, want string }{
		{"60 2 * * *", "", `the minute cannot be "60": write 0 to 59`},
		{"0 24 * * *", "", `the hour cannot be "24": write 0 to 23`},
		{"0 2 0 * *", "", `the day of the month cannot be "0": write 1 to 31`},
		{"0 2 * foo *", "", `the month cannot be "foo": write 1 to 12 or jan to dec`},
		{"0 2 * * 7", "", `the day of the week cannot be "7": write 0 (Sunday) to 6`},
		{"0 2 * * mon-sun", "", `the day of the week cannot be "mon-sun"`},
		{"0 2 ? * *", "", `the day of the month cannot be "?"`},
		{", 2 * * *", "", `the minute cannot be ","`},
		{"1,,2 2 * * *", "", `the minute cannot be "1,,2"`},
		{"*-5 2 * * *", "", `the minute cannot be "*-5"`},
		{"*/0 2 * * *", "", `the minute cannot be "*/0"`},
		{"5-2 2 * * *", "", `the minute cannot be "5-2"`},
		{"1-2-3 2 * * *", "", `the minute cannot be "1-2-3"`},
		{"0 2 * *", "", `"0 2 * *" has 4 fields, and a cron expression has 5`},
		{"", "", "has 0 fields"},
		{"0 0 2 * * *", "", "has 6 fields"},
		{"TZ=UTC 0 2 * * *", "", "has 6 fields"},
		{"@every 5m", "", `there is no short form "@every 5m"`},
		{"0 0 30 2 *", "", `"0 0 30 2 *" never happens`},
		{"0 0 31 4,jun,9,11 *", "", "never happens"},
		{"0 2 * * *", "Asia/Soul", `there is no time zone "Asia/Soul": write an IANA name`},
		{"0 2 * * *", "Local", `there is no time zone "Local"`},
		{"0 2 * * *", "../etc/passwd", "there is no time zone"},
	} {
		if _, err := calendar.Parse(c.expression, c.zone); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q in %q: %v, want %s", c.expression, c.zone, err, c.want)
		}
	}
	for _, expression := range []string{"0 0 30 2 mon", "0 0 29 2 *", "0 0 31 */2 *", "*/90 * * * *", "@daily", "@midnight", "@hourly", "@yearly", "@annually", "@monthly"} {
		s := parse(t, expression, "Asia/Seoul")
		if _, ok := s.Next(changes()[0]); !ok {
			t.Errorf("%s never starts", expression)
		}
	}
}

// FuzzParse holds that what parses starts, later than asked and on a minute.
func FuzzParse(f *testing.F) {
	for _, expression := range expressions() {
		f.Add(expression, "Europe/Berlin", int64(1_800_000_000))
	}
	f.Add("@monthly", "Pacific/Apia", int64(0))
	f.Fuzz(func(t *testing.T, expression, zone string, seconds int64) {
		s, err := calendar.Parse(expression, zone)
		if err != nil {
			return
		}
		after := time.Unix(seconds%(1<<33), 0)
		next, ok := s.Next(after)
		if !ok || !next.After(after) || next.Location() != time.UTC {
			t.Errorf("%q in %q: after %s comes %s, %v", expression, zone, after, next, ok)
		}
	})
}
