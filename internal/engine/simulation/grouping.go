package simulation

import (
	"slices"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

func (r *seenRun) groupKey() string { return r.rule + " " + r.grouping }

// wantsRun notes that an alert of a group must join the group's run, or begin
// it, in the record that opens it, or opens it again.
func (o *observer) wantsRun(id alert.EpisodeID, a alert.Alert) {
	if a.Name != "Wide" || o.inForce == "" {
		return
	}
	o.zones[id] = a.Labels["zone"]
	o.wantsGroup(id)
}

func (o *observer) wantsGroup(id alert.EpisodeID) {
	zone, ok := o.zones[id]
	if !ok {
		return
	}
	switch run, active := o.groups[wide+" "+zone]; {
	case !active:
		o.unjoined[id] = "begins no run for its group"
	case !slices.Contains(o.runs[run].episodes, id):
		o.unjoined[id] = "does not join run " + run + ", which has its group"
	}
}

// begins checks a run that begins, and that its group has none yet.
func (o *observer) begins(run *seenRun, id alert.EpisodeID) {
	o.beginsBeside(run)
	if run.rule != wide {
		return
	}
	if other, active := o.groups[run.groupKey()]; active {
		o.w.violate("run %s begins for group %q of rule %s, which run %s has", run.id, run.grouping, run.rule, other)
	}
	if zone := run.began.Labels["zone"]; run.grouping != zone {
		o.w.violate("run %s has group %q, its alert is of %q", run.id, run.grouping, zone)
	}
	o.groups[run.groupKey()] = run.id
	delete(o.unjoined, id)
	o.w.happened("group begun")
}

// handsOver notes that a run answers for the groups of one that merged into it.
func (o *observer) handsOver(run, into *seenRun) {
	for key, id := range o.groups {
		if id == run.id {
			o.groups[key] = into.id
			o.w.happened("group handed over")
		}
	}
}

// joins checks that an alert joins a run that goes on, and the one that has its
// group.
func (o *observer) joins(run *seenRun, id alert.EpisodeID) {
	o.joinsStanding(run)
	if run.rule != wide {
		return
	}
	if zone := o.zones[id]; o.groups[run.rule+" "+zone] != run.id {
		o.w.violate("alert %s joins run %s, which does not have group %q", id, run.id, zone)
	}
	delete(o.unjoined, id)
	o.w.happened("group joined")
}

// routed checks that people are told where the rule says.
func (o *observer) routed(e engine.Escalated) {
	run := o.runs[e.Run]
	for i, want := range o.rule(run).Otherwise {
		to := ""
		if want.To != nil {
			if place, err := want.To(engine.Scope{Alert: run.began, Target: service("svc-" + run.began.Labels["svc"][4:])}); err == nil {
				to = place
			}
		}
		if i >= len(e.Routes) || e.Routes[i] != (engine.Route{Reporter: want.Reporter, To: to}) {
			o.w.violate("run %s tells %v, its rule says %s %q", e.Run, e.Routes, want.Reporter, to)
			return
		}
	}
	o.w.happened("routed")
}
