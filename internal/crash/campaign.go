package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// campaign is a number of kills at each of some points.
type campaign struct {
	stage    *stage
	points   []string
	kills    int
	only     int // the one number to play; 0 for all
	parallel int
	seed     uint64
	out      io.Writer
	verbose  bool

	mu      sync.Mutex
	rows    map[string]*row
	missed  []string
	seconds float64
}

// row is what the table says of a point. Kills are counted where they were
// made; the rest belongs to the point that the iteration was for. Patches are
// those that succeeded; those cut off by the kill may have as well.
type row struct {
	kills, restarts, alerts, runs, patches, cutOff, violations int
}

func (r *row) add(o row) {
	r.kills += o.kills
	r.restarts += o.restarts
	r.alerts += o.alerts
	r.runs += o.runs
	r.patches += o.patches
	r.cutOff += o.cutOff
	r.violations += o.violations
}

// errViolated ends a campaign that found something.
var errViolated = errors.New("promises were broken")

// run measures one life, then kills as often as it was told, and prints the
// table. Any violation is an error, and so is a kill that could not be made.
func (c *campaign) run(ctx context.Context) error {
	c.rows = map[string]*row{}
	for _, p := range append(namedPoints(), atRandom) {
		c.rows[p] = &row{}
	}
	m, err := c.stage.measure(ctx)
	if err != nil {
		return err
	}
	c.say("one life without a kill takes %v and passes the points %v times", m.Took.Round(time.Millisecond), m.Hits)
	started := time.Now()
	err = c.all(ctx, m)
	c.seconds = time.Since(started).Seconds()
	return errors.Join(err, c.print(), c.verdict())
}

// all plays every iteration, a few at a time, the points in turn.
func (c *campaign) all(ctx context.Context, m measure) error {
	type job struct {
		point  string
		number int
	}
	jobs := make(chan job)
	var wg sync.WaitGroup
	errs := make([]error, c.parallel)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for w := range c.parallel {
		wg.Go(func() {
			for j := range jobs {
				if errs[w] = c.one(ctx, m, j.point, j.number); errs[w] != nil {
					cancel()
					return
				}
			}
		})
	}
	for number := 1; number <= c.kills; number++ {
		for _, point := range c.points {
			if c.only != 0 && number != c.only {
				continue
			}
			select {
			case jobs <- job{point, number}:
			case <-ctx.Done():
			}
		}
	}
	close(jobs)
	wg.Wait()
	return errors.Join(errs...)
}

// one makes one kill at a point, planned anew if the point was not passed.
func (c *campaign) one(ctx context.Context, m measure, point string, number int) error {
	for try := range maxTries {
		o, err := c.stage.play(ctx, m.plan(c.seed, point, number, try))
		if err != nil {
			return err
		}
		if err := c.count(point, o); err != nil {
			return err
		}
		if len(o.Violations) > 0 || slices.ContainsFunc(o.Died, func(k kill) bool { return k.Point == point }) {
			return nil
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missed = append(c.missed, fmt.Sprintf("%s, number %d", point, number))
	return nil
}

// count enters an iteration into the table. The folder of a good one is removed.
func (c *campaign) count(point string, o outcome) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range o.Died {
		c.rows[k.Point].kills++
	}
	r := row{restarts: o.Lives - 1, alerts: len(o.Evidence.Alerts), runs: len(storyOf(o.Evidence.Events).all), violations: len(o.Violations)}
	for _, p := range o.Evidence.Patches {
		switch {
		case p.succeeded():
			r.patches++
		case p.cutOff():
			r.cutOff++
		}
	}
	c.rows[point].add(r)
	if c.verbose {
		c.say("%-28s %v, killed: %v, %d lives", o.Plan, o.Took.Round(time.Millisecond), o.Died, o.Lives)
	}
	if len(o.Violations) == 0 {
		if err := os.RemoveAll(o.Dir); err != nil {
			return fmt.Errorf("remove an iteration's folder: %w", err)
		}
		return nil
	}
	c.say("VIOLATION in %s (kills %v, made %v):", o.Plan, o.Plan.Kills, o.Died)
	for _, v := range o.Violations {
		c.say("  %s", v)
	}
	c.say("  all of it is in %s; again: go run ./internal/crash -seed %d -kills %d -only %d -points %s",
		o.Dir, c.seed, c.kills, o.Plan.Number, point)
	return nil
}

func (c *campaign) print() error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	var total row
	line := func(name string, r row) {
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, r.kills, r.restarts, r.alerts, r.runs, r.patches, r.cutOff, r.violations) // Flush has the error
	}
	_, _ = fmt.Fprintln(w, "point\tkills\trestarts\talerts\truns\tpatches\tcut off\tviolations\t")
	for _, p := range append(namedPoints(), atRandom) {
		line(p, *c.rows[p])
		total.add(*c.rows[p])
	}
	line("total", total)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	c.say("seed %d, %.0f s", c.seed, c.seconds)
	return nil
}

func (c *campaign) verdict() error {
	for _, r := range c.rows {
		if r.violations > 0 {
			return errViolated
		}
	}
	if len(c.missed) > 0 {
		return fmt.Errorf("these kills could not be made: %v", c.missed)
	}
	return nil
}

// say prints a line. An output that is broken is found out by the table.
func (c *campaign) say(format string, args ...any) { _, _ = fmt.Fprintf(c.out, format+"\n", args...) }

// measure plays one iteration without a kill, in which nothing may be wrong and
// every point must be passed.
func (st *stage) measure(ctx context.Context) (measure, error) {
	o, err := st.play(ctx, plan{Point: "none"})
	if err != nil {
		return measure{}, err
	}
	if len(o.Violations) > 0 {
		return measure{}, fmt.Errorf("already without a kill (%s): %w: %v", o.Dir, errViolated, o.Violations)
	}
	m := measure{Took: o.Took}
	text, err := os.ReadFile(filepath.Join(o.Dir, "hits.json"))
	if err == nil {
		err = json.Unmarshal(text, &m.Hits)
	}
	if err != nil {
		return measure{}, fmt.Errorf("counts of the points: %w", err)
	}
	for _, p := range namedPoints() {
		if m.Hits[p] == 0 {
			return measure{}, fmt.Errorf("point %s is never passed: was it renamed?", p)
		}
	}
	return m, os.RemoveAll(o.Dir)
}
