package backtest

import (
	"cmp"
	"slices"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// grain is the finest part of a timeline.
const grain = 5 * time.Minute

// ruleTally is one rule.
type ruleTally struct {
	name                   string
	mode                   engine.Mode
	episodes, runs, open   int
	acts, would            int
	approvals, escalations int
	selfCured              int
	outcomes               map[engine.RunFinal]int
	guards                 map[string]*Hold
	toResolve, toAct       []time.Duration
	hours                  map[int64]int
	buckets                map[int64]*Bucket
}

func newRuleTally(name string) *ruleTally {
	return &ruleTally{
		name: name, outcomes: map[engine.RunFinal]int{}, guards: map[string]*Hold{}, hours: map[int64]int{},
		buckets: map[int64]*Bucket{},
	}
}

func (r *ruleTally) bucket(at time.Time) *Bucket {
	start := at.UTC().Truncate(grain)
	b := r.buckets[start.Unix()]
	if b == nil {
		b = &Bucket{Start: start}
		r.buckets[start.Unix()] = b
	}
	return b
}

// begins counts an attempt that would have begun to act.
func (r *ruleTally) begins(at time.Time, would bool) {
	r.hours[at.UTC().Truncate(time.Hour).Unix()]++
	if would {
		r.would++
		r.bucket(at).Would++
		return
	}
	r.acts++
	r.bucket(at).Acts++
}

func (r *ruleTally) hold(guard string) *Hold {
	h := r.guards[guard]
	if h == nil {
		h = &Hold{Guard: guard}
		r.guards[guard] = h
	}
	return h
}

func (r *ruleTally) holdEnds(guard string, length time.Duration) {
	h := r.hold(guard)
	h.Total += length
	h.Longest = max(h.Longest, length)
}

// resolved counts a firing that ended.
func (r *ruleTally) resolved(after time.Duration, acted bool) {
	r.toResolve = append(r.toResolve, after)
	if !acted {
		r.selfCured++
	}
}

// add sums up another rule.
func (r *ruleTally) add(o *ruleTally) {
	r.episodes += o.episodes
	r.runs += o.runs
	r.open += o.open
	r.acts += o.acts
	r.would += o.would
	r.approvals += o.approvals
	r.escalations += o.escalations
	r.selfCured += o.selfCured
	for outcome, n := range o.outcomes {
		r.outcomes[outcome] += n
	}
	for guard, h := range o.guards {
		sum := r.hold(guard)
		sum.Times += h.Times
		sum.Would += h.Would
		sum.Total += h.Total
		sum.Longest = max(sum.Longest, h.Longest)
	}
	r.toResolve = append(r.toResolve, o.toResolve...)
	r.toAct = append(r.toAct, o.toAct...)
	for hour, n := range o.hours {
		r.hours[hour] += n
	}
	for _, b := range o.buckets {
		r.bucket(b.Start).add(*b)
	}
}

// report makes the rule's part of a report.
func (r *ruleTally) report(unfinished int, line timeline) Rule {
	out := Rule{
		Name: r.name, Mode: r.mode, Episodes: r.episodes, Runs: r.runs, Acts: r.acts, WouldActs: r.would,
		Outcomes: r.outcomes, Unfinished: unfinished, Approvals: r.approvals, Escalations: r.escalations,
		SelfCured: r.selfCured, Open: r.open, ToResolve: median(r.toResolve), ToAct: median(r.toAct), Timeline: line.of(r.buckets),
	}
	for _, h := range r.guards {
		out.Holds = append(out.Holds, *h)
	}
	slices.SortFunc(out.Holds, func(a, b Hold) int {
		return cmp.Or(cmp.Compare(b.Times+b.Would, a.Times+a.Would), cmp.Compare(a.Guard, b.Guard))
	})
	for hour, n := range r.hours {
		at := time.Unix(hour, 0).UTC()
		if n > out.Busiest.Acts || n == out.Busiest.Acts && at.Before(out.Busiest.Start) {
			out.Busiest = Hour{Start: at, Acts: n}
		}
	}
	return out
}

func median(all []time.Duration) Median {
	if len(all) == 0 {
		return Median{}
	}
	slices.Sort(all)
	return Median{Of: len(all), Value: all[(len(all)-1)/2]}
}

// mostParts bounds a timeline.
const mostParts = 240

// timeline cuts a time into equal parts.
type timeline struct {
	start time.Time
	step  time.Duration
	parts int
}

func newTimeline(from, until time.Time) timeline {
	start := from.UTC().Truncate(grain)
	length := max(until.Sub(start), grain)
	step := (length/mostParts + grain).Truncate(grain)
	return timeline{start: start, step: step, parts: min(int(length/step)+1, mostParts)}
}

func (l timeline) of(buckets map[int64]*Bucket) []Bucket {
	parts := make([]Bucket, l.parts)
	for i := range parts {
		parts[i].Start = l.start.Add(time.Duration(i) * l.step)
	}
	for _, b := range buckets {
		i := min(max(int(b.Start.Sub(l.start)/l.step), 0), l.parts-1)
		parts[i].add(*b)
	}
	return parts
}
