package prometheus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules/backtest"
)

// SourceName is the alerts' Source.
const SourceName = "prometheus"

// Options say what to read. URL, Since and Until must be set; zero durations
// are the defaults.
type Options struct {
	URL          string
	Since, Until time.Time
	// Step is how often the series are looked at: 1 min. Chunk is how much is
	// asked for at once: 6 h.
	Step, Chunk time.Duration
	// Wait and Repeat are Alertmanager's group_wait and repeat_interval: 30 s
	// and 4 h. A negative Wait is none.
	Wait, Repeat time.Duration
	// Labels are added to every alert: Prometheus' external labels.
	Labels map[string]string
	// Token is a bearer token; empty for none.
	Token string
	// Transport sends the requests; nil is [api.DefaultRoundTripper].
	Transport http.RoundTripper
	// Progress is told how far it was read. It may be nil.
	Progress func(until time.Time)
	// Pause waits between two tries; nil really waits.
	Pause func(ctx context.Context, d time.Duration) error
}

// Source is the history of a Prometheus' alerts.
type Source struct {
	o     Options
	api   v1.API
	where string
	found found
}

// found is what is known after reading.
type found struct {
	points, series, short int
	gaps                  []gap
	upKnown               bool
	warnings              []string
}

// gap is a time in which Prometheus has nothing.
type gap struct{ from, until time.Time }

// New checks the options. It asks nothing.
func New(o Options) (*Source, error) {
	u, err := url.Parse(o.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("prometheus %q: want http://HOST:PORT or https://HOST:PORT", redacted(o.URL))
	}
	orDefault(&o.Step, time.Minute)
	orDefault(&o.Chunk, 6*time.Hour)
	orDefault(&o.Wait, 30*time.Second)
	orDefault(&o.Repeat, 4*time.Hour)
	switch {
	case o.Step < time.Second || o.Step%time.Millisecond != 0:
		return nil, fmt.Errorf("prometheus: the step is %s: want whole milliseconds, at least 1s", o.Step)
	case o.Repeat < o.Step:
		return nil, fmt.Errorf("prometheus: repeats come every %s, which is less than the step of %s", o.Repeat, o.Step)
	case !o.Since.Before(o.Until):
		return nil, fmt.Errorf("prometheus: nothing lies between %s and %s", o.Since.Format(time.RFC3339), o.Until.Format(time.RFC3339))
	}
	o.Wait = max(o.Wait, 0)
	o.Since, o.Until = o.Since.UTC().Truncate(o.Step), o.Until.UTC()
	if o.Pause == nil {
		o.Pause = pause
	}
	client, err := api.NewClient(api.Config{Address: o.URL, RoundTripper: transport{next: o.Transport, token: o.Token}})
	if err != nil {
		return nil, fmt.Errorf("prometheus %q: %w", u.Redacted(), err)
	}
	return &Source{o: o, api: v1.NewAPI(client), where: u.Redacted()}, nil
}

// redacted is what may be shown of a text that should be an address.
func redacted(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return "…" + s[i:]
	}
	return s
}

func orDefault(v *time.Duration, def time.Duration) {
	if *v == 0 {
		*v = def
	}
}

// Each implements [backtest.Source].
func (s *Source) Each(ctx context.Context, take func(backtest.Recorded) error) error {
	s.found = found{}
	f := newFirings(s.o, &s.found)
	// The chunks that are left, the next one last: one that is too much is
	// replaced by its halves.
	var left []span
	for start := s.o.Since; !start.After(s.o.Until); {
		sp := span{start: start, points: s.pointsOf(start)}
		left = append(left, sp)
		start = sp.end(s.o.Step).Add(s.o.Step)
	}
	slices.Reverse(left)
	for len(left) > 0 {
		next := left[len(left)-1]
		left = left[:len(left)-1]
		c, err := s.ask(ctx, next)
		if errors.Is(err, errTooMuch) && next.points > 1 {
			first, second := next.halves(s.o.Step)
			left = append(left, second, first)
			continue
		}
		if err != nil {
			return fmt.Errorf("prometheus %s: %s to %s: %w", s.where, next.start.Format(time.RFC3339), next.end(s.o.Step).Format(time.RFC3339), err)
		}
		if err := emit(f.chunk(c), take); err != nil {
			return err
		}
		if s.o.Progress != nil {
			s.o.Progress(next.end(s.o.Step))
		}
	}
	f.end()
	return nil
}

// mostPoints is how many points of a series Prometheus answers at most.
const mostPoints = 11_000

func (s *Source) pointsOf(start time.Time) int {
	points := min(int(s.o.Chunk/s.o.Step), mostPoints, int(s.o.Until.Sub(start)/s.o.Step)+1)
	return max(points, 1)
}

// span is so many points from a time on, a step apart.
type span struct {
	start  time.Time
	points int
}

func (s span) end(step time.Duration) time.Time {
	return s.start.Add(time.Duration(s.points-1) * step)
}

func (s span) halves(step time.Duration) (first, second span) {
	first = span{start: s.start, points: s.points / 2}
	return first, span{start: first.end(step).Add(step), points: s.points - first.points}
}

// emit hands over what was notified, what came at one time as one delivery.
func emit(all []notified, take func(backtest.Recorded) error) error {
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].at.Equal(all[0].at) {
			n++
		}
		d := &alert.Delivery{ID: fmt.Sprintf("%s-%d", SourceName, all[0].at.UnixMilli()), Source: SourceName, ReceivedAt: all[0].at}
		for _, one := range all[:n] {
			d.Alerts = append(d.Alerts, one.alert)
		}
		if err := take(backtest.Recorded{At: all[0].at, Input: engine.Input{Delivery: d}}); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// About implements [backtest.Source].
func (s *Source) About() backtest.About {
	f, step := s.found, s.o.Step
	notes := []string{
		fmt.Sprintf("Every time is uncertain by %s, the step at which the series were looked at; firings shorter than that may be missing. %d samples of %d series were read.", step, f.points, f.series),
		fmt.Sprintf("Notifications are assumed %s after a firing began, repeated every %s, and at its end. Silences, inhibitions, routes and annotations of Alertmanager are not known.", s.o.Wait, s.o.Repeat),
	}
	if f.short > 0 {
		notes = append(notes, fmt.Sprintf("%d firings were gone before their first notification was due, and are left out.", f.short))
	}
	if len(s.o.Labels) == 0 {
		notes = append(notes, "External labels, which Prometheus adds when it sends, are not in its series, and none were given.")
	}
	if !f.upKnown {
		notes = append(notes, "Whether Prometheus was always there cannot be told, since it has no series up: an alert that is missing counts as resolved.")
	}
	for _, w := range f.warnings {
		notes = append(notes, "Prometheus warned: "+w)
	}
	for i, g := range f.gaps {
		if i == 10 {
			notes = append(notes, fmt.Sprintf("And %d times more.", len(f.gaps)-i))
			break
		}
		notes = append(notes, fmt.Sprintf("Prometheus has nothing from %s to %s: what fired then is not known, and what fired before and after since the same time counts as one firing.",
			g.from.Format(time.RFC3339), g.until.Format(time.RFC3339)))
	}
	return backtest.About{From: SourceName + "=" + s.where, Notes: notes}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
