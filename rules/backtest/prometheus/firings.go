package prometheus

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"github.com/tripgen/paramedic/internal/alert"
)

// notified is one alert of a notification.
type notified struct {
	at    time.Time
	alert alert.Alert
}

// firings makes notifications of points. Chunks must come in order.
type firings struct {
	o     Options
	found *found
	open  map[model.Fingerprint]*series
	seen  map[model.Fingerprint]struct{}
	first bool
	// silent is the gap that has not ended.
	silent *gap
	out    []notified
}

// series is one alert that fires.
type series struct {
	alert alert.Alert
	// active is since when the expression has been true, 0 if that is not known.
	active   model.SampleValue
	due      time.Time
	notified bool
}

func newFirings(o Options, f *found) *firings {
	return &firings{
		o: o, found: f, open: map[model.Fingerprint]*series{}, seen: map[model.Fingerprint]struct{}{}, first: true,
	}
}

// points are those of one alert in a chunk.
type points struct {
	labels model.LabelSet
	// firing holds at which points it fires, and active since when.
	firing map[int]struct{}
	active map[int]model.SampleValue
}

// chunk gives the notifications of a chunk, in order.
func (f *firings) chunk(c chunk) []notified {
	f.out = nil
	all := f.points(c)
	known := f.known(c)
	for _, fp := range slices.Sorted(maps.Keys(f.open)) {
		if all[fp] == nil {
			all[fp] = &points{}
		}
	}
	for i := range c.points {
		f.mind(c.start.Add(time.Duration(i)*f.o.Step), known[i])
	}
	for _, fp := range slices.Sorted(maps.Keys(all)) {
		for i := range c.points {
			f.point(fp, all[fp], i, c.start.Add(time.Duration(i)*f.o.Step), known[i])
		}
	}
	f.first = false
	slices.SortStableFunc(f.out, func(a, b notified) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.alert.Fingerprint, b.alert.Fingerprint))
	})
	return f.out
}

// point takes one look at one alert. What was notified lies after the look
// before, so chunks follow each other in time.
func (f *firings) point(fp model.Fingerprint, p *points, i int, at time.Time, known bool) {
	s := f.open[fp]
	if _, firing := p.firing[i]; !firing {
		if s != nil && known {
			f.ends(fp, s, at)
		}
		return
	}
	active := p.active[i]
	if s != nil && active != 0 && s.active != 0 && active != s.active {
		// It ended and began anew between two looks.
		f.ends(fp, s, at)
		s = nil
	}
	if s == nil {
		s = f.begins(fp, p, at, active)
	}
	if s.active == 0 {
		s.active = active
	}
	for !s.due.After(at) {
		when := s.due
		if before := at.Add(-f.o.Step); !when.After(before) {
			when = at // it became due while nobody looked
		}
		f.out = append(f.out, notified{at: when, alert: s.alert})
		s.notified, s.due = true, when.Add(f.o.Repeat)
	}
}

func (f *firings) begins(fp model.Fingerprint, p *points, at time.Time, active model.SampleValue) *series {
	start := at
	if f.first && at.Equal(f.o.Since) && active != 0 {
		// It fired before the first look: since when it may have is all that is known.
		start = time.Unix(int64(active), 0).UTC()
	}
	labels := make(map[string]string, len(p.labels)+len(f.o.Labels))
	maps.Copy(labels, f.o.Labels)
	for name, value := range p.labels {
		labels[string(name)] = string(value)
	}
	s := &series{active: active, due: at.Add(f.o.Wait), alert: alert.Alert{
		Source: SourceName, Fingerprint: fingerprint(labels), Name: labels["alertname"], Severity: labels["severity"],
		Status: alert.Firing, Labels: labels, Annotations: map[string]string{}, StartsAt: start,
	}}
	f.open[fp] = s
	if _, seen := f.seen[fp]; !seen {
		f.seen[fp] = struct{}{}
		f.found.series++
	}
	return s
}

// fingerprint is what Alertmanager gives an alert with these labels.
func fingerprint(labels map[string]string) string {
	set := make(model.LabelSet, len(labels))
	for name, value := range labels {
		set[model.LabelName(name)] = model.LabelValue(value)
	}
	return set.Fingerprint().String()
}

// ends notifies the end of a firing, if its beginning was.
func (f *firings) ends(fp model.Fingerprint, s *series, at time.Time) {
	delete(f.open, fp)
	if !s.notified {
		f.found.short++
		return
	}
	a := s.alert
	a.Status, a.EndsAt = alert.Resolved, at
	f.out = append(f.out, notified{at: at, alert: a})
}

// points sorts the samples of a chunk by alert and point.
func (f *firings) points(c chunk) map[model.Fingerprint]*points {
	all := map[model.Fingerprint]*points{}
	for _, stream := range c.firing {
		labels := labelsOf(stream.Metric)
		p := &points{labels: labels, firing: map[int]struct{}{}, active: map[int]model.SampleValue{}}
		all[labels.Fingerprint()] = p
		for _, sample := range stream.Values {
			if i, ok := c.index(sample.Timestamp, f.o.Step); ok {
				p.firing[i] = struct{}{}
				f.found.points++
			}
		}
	}
	for _, stream := range c.active {
		p := all[labelsOf(stream.Metric).Fingerprint()]
		if p == nil {
			continue // it never came to fire
		}
		for _, sample := range stream.Values {
			if i, ok := c.index(sample.Timestamp, f.o.Step); ok {
				p.active[i] = sample.Value
			}
		}
	}
	return all
}

// labelsOf are an alert's own.
func labelsOf(m model.Metric) model.LabelSet {
	labels := model.LabelSet(m).Clone()
	delete(labels, model.MetricNameLabel)
	delete(labels, "alertstate")
	return labels
}

func (c chunk) index(at model.Time, step time.Duration) (int, bool) {
	i := int(at.Time().Sub(c.start) / step)
	return i, i >= 0 && i < c.points
}

// known says at which points Prometheus was there. Where it has nothing by which
// to tell, it was.
func (f *firings) known(c chunk) []bool {
	known := make([]bool, c.points)
	for _, stream := range c.up {
		for _, sample := range stream.Values {
			if i, ok := c.index(sample.Timestamp, f.o.Step); ok {
				known[i] = true
				f.found.upKnown = true
			}
		}
	}
	if !f.found.upKnown {
		for i := range known {
			known[i] = true
		}
	}
	return known
}

// mind keeps the times in which Prometheus has nothing.
func (f *firings) mind(at time.Time, known bool) {
	switch {
	case !known && f.silent == nil:
		f.silent = &gap{from: at, until: at}
	case !known:
		f.silent.until = at
	case f.silent != nil:
		f.found.gaps = append(f.found.gaps, *f.silent)
		f.silent = nil
	}
}

// end is told when all was read.
func (f *firings) end() {
	if f.silent != nil {
		f.found.gaps = append(f.found.gaps, *f.silent)
	}
}
