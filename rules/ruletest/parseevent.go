package ruletest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

const (
	// defaultSource is the source of an alert that names none.
	defaultSource = "alertmanager"
	// somebody is who a person is that has no name.
	somebody = "somebody"
	// alertname is the label that names an alert, severity the one that rates it.
	alertname = "alertname"
	severity  = "severity"
)

// events reads what happens. Which alerts fire when is settled here already.
func (p *parser) events(n *yaml.Node, t *test) {
	var now time.Duration
	for _, item := range p.y.List(n, "events") {
		o, ok := p.object(item, "an event", eventFields())
		if !ok {
			continue
		}
		if o.Get("at") != nil {
			at := since(p.duration(o, "at"))
			if at < now {
				p.y.Errorf(o.Get("at"), "this is at %s, before the event above it, which is at %s: write events in the order of time", written(at), written(now))
			}
			now = max(now, at)
		}
		kind, value := p.exactlyOne(o, "an event", eventKinds())
		if value == nil {
			continue
		}
		p.fitting(o, kind)
		switch kind {
		case eventFires:
			p.fires(o, t, now)
		case eventTriggers:
			p.triggers(o, t, now)
		case eventResolves:
			p.resolves(value, t, now)
		default:
			t.events = append(t.events, p.event(o, kind, value, now))
		}
	}
}

// fitting refuses fields that are of another kind of event.
func (p *parser) fitting(o rules.YAMLObject, kind string) {
	fits := map[string][]string{
		eventFires:    {"severity", "annotations", "source", "url", "repeat", "for"},
		eventTriggers: {"labels", "repeat", "for"},
		eventApprove:  {"by", "reason", "on"},
		eventDeny:     {"by", "reason", "on"},
		eventCancel:   {"by", "reason", "on"},
		eventPause:    {"by", "reason"},
		eventResume:   {"by", "reason"},
	}
	all, _ := names(eventFields())
	for _, name := range all {
		if name == "at" || name == kind || o.Get(name) == nil || slices.Contains(fits[kind], name) {
			continue
		}
		p.y.Errorf(o.Get(name), "an event with %s has no %s", kind, name)
	}
}

func (p *parser) event(o rules.YAMLObject, kind string, value *yaml.Node, at time.Duration) event {
	e := event{line: value.Line, at: at, kind: kind, on: p.y.Text(o.Get("on"), "on"), by: somebody, reason: p.y.Text(o.Get("reason"), "reason")}
	if n := o.Get("by"); n != nil {
		e.by = p.y.Text(n, "by")
	}
	switch kind {
	case eventApprove, eventDeny, eventCancel:
		e.what = p.ruleName(value)
	case eventPause, eventResume:
		e.what = p.y.Text(value, kind)
		if err := engine.ParseScope(e.what); e.what != "" && err != nil {
			p.y.Errorf(value, "%v", err)
		} else if name, ok := strings.CutPrefix(e.what, "rule/"); ok {
			p.uses = append(p.uses, use{rule: &yaml.Node{Kind: yaml.ScalarNode, Value: name, Line: value.Line, Column: value.Column}})
		}
	case eventRules:
		e.rules = p.ruleFiles(value)
	case eventRestart:
		p.yes(o, eventRestart)
	}
	return e
}

func (p *parser) fires(o rules.YAMLObject, t *test, at time.Duration) {
	a := alert.Alert{
		Source: defaultSource, Status: alert.Firing, Labels: p.labels(o.Get(eventFires), eventFires),
		Annotations: p.labels(o.Get("annotations"), "annotations"), URL: p.y.Text(o.Get("url"), "url"),
	}
	if a.Labels == nil {
		return
	}
	if n := o.Get("source"); n != nil {
		a.Source = p.y.Text(n, "source")
		if strings.HasPrefix(a.Source, rules.TriggerSource) {
			p.y.Errorf(n, "sources that begin with %s are those of rules' own triggers: write triggers: RULE", rules.TriggerSource)
		}
	}
	if n := o.Get("severity"); n != nil {
		s := p.y.Text(n, "severity")
		if other, twice := a.Labels[severity]; twice && other != s {
			p.y.Errorf(n, "the alert has the label severity=%q already", other)
		}
		a.Labels[severity] = s
	}
	p.begins(o, t, a, at)
}

// triggers raises what the rule's own trigger would.
func (p *parser) triggers(o rules.YAMLObject, t *test, at time.Duration) {
	n := o.Get(eventTriggers)
	name := p.ruleName(n)
	labels := p.labels(o.Get("labels"), "labels")
	for _, files := range slices.Backward(p.known) {
		if _, ok := files.set.Rule(name); !ok {
			continue
		}
		raises, ok := files.triggers[name]
		if !ok {
			p.y.Errorf(n, "rule %q waits for alerts and has no trigger of its own: write fires", name)
			return
		}
		a := alert.Alert{Source: raises.Source(), Status: alert.Firing, Labels: map[string]string{}}
		maps.Copy(a.Labels, raises.Labels)
		maps.Copy(a.Labels, labels)
		a.Labels[alertname] = name
		if raises.Manual != nil {
			for _, input := range raises.Manual.Inputs {
				if a.Labels[input] == "" {
					p.y.Errorf(n, "whoever starts rule %q must say %s: write it in labels", name, input)
				}
			}
		}
		if raises.Asked() {
			t.supersede(a, at)
		}
		p.begins(o, t, a, at)
		return
	}
}

// supersede ends the firing whose place a newer one takes, of which nothing is told.
func (t *test) supersede(newer alert.Alert, at time.Duration) {
	for i := range t.alerts {
		f := &t.alerts[i]
		if f.at(at) && f.alert.Source == newer.Source && maps.Equal(f.alert.Labels, newer.Labels) {
			f.superseded = &at
		}
	}
}

// begins has an alert fire: a new firing, or once more of one that fires still.
func (p *parser) begins(o rules.YAMLObject, t *test, a alert.Alert, at time.Duration) {
	a.Name, a.Severity, a.Fingerprint = a.Labels[alertname], a.Labels[severity], alert.Fingerprint(a.Labels)
	a.StartsAt = t.start.Add(at)
	repeat := p.y.Duration(o.Get("repeat"), "repeat", time.Second, longest)
	for i := range t.alerts {
		if old := &t.alerts[i]; old.alert.Series() == a.Series() && old.at(at) {
			old.again = append(old.again, at)
			for _, name := range []string{"repeat", "for"} {
				if n := o.Get(name); n != nil {
					p.y.Errorf(n, "this alert fires since %s, and this only notifies of it again: say %s there", written(old.begins), name)
				}
			}
			return
		}
	}
	fire := firing{alert: a, begins: at, repeat: repeat}
	if lasts := p.duration(o, "for"); lasts != nil {
		ends := at + *lasts
		fire.ends = &ends
	}
	t.alerts = append(t.alerts, fire)
}

// at reports whether it fires at a time.
func (f firing) at(at time.Duration) bool {
	return f.begins <= at && (f.ends == nil || at < *f.ends) && (f.superseded == nil || at < *f.superseded)
}

func (p *parser) resolves(n *yaml.Node, t *test, at time.Duration) {
	labels := p.labels(n, eventResolves)
	if labels == nil {
		return
	}
	var fits []*firing
	for i := range t.alerts {
		if f := &t.alerts[i]; f.at(at) && has(f.alert.Labels, labels) {
			fits = append(fits, f)
		}
	}
	switch len(fits) {
	case 1:
		fits[0].ends = &at
	case 0:
		var firing []string
		for _, f := range t.alerts {
			if f.at(at) {
				firing = append(firing, labelText(f.alert.Labels))
			}
		}
		p.y.Errorf(n, "no alert with these labels fires at %s%s", written(at), listed("; what fires is ", firing))
	default:
		p.y.Errorf(n, "%d alerts with these labels fire at %s: name more labels, so that it is one", len(fits), written(at))
	}
}

// has reports whether labels have all of some.
func has(labels, some map[string]string) bool {
	for name, value := range some {
		if got, ok := labels[name]; !ok || got != value {
			return false
		}
	}
	return true
}

func labelText(labels map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		parts = append(parts, fmt.Sprintf("%s: %s", name, labels[name]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func listed(before string, all []string) string {
	if len(all) == 0 {
		return ""
	}
	return before + strings.Join(all, ", ")
}
