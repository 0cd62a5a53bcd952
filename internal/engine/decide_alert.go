package engine

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// overtaken is how long after a resolve a firing notification of the same
// episode counts as one that the resolve overtook. Alertmanager's peers and its
// retries are later than their first try by no more than a group interval,
// which is five minutes unless configured.
const overtaken = 10 * time.Minute

func (d *decider) alert(in AlertStep) {
	id := in.Alert.Episode()
	if err := in.Alert.Validate(); err != nil {
		d.emit(AlertDropped{Episode: id, Delivery: in.Delivery, Reason: err.Error()})
		return
	}
	ep, series := d.st.Episodes[id], d.st.Series[in.Alert.Series()]
	if ep != nil && !in.Alert.At.IsZero() && in.Alert.At.Before(ep.Said) {
		d.emit(AlertDropped{Episode: id, Delivery: in.Delivery, Reason: fmt.Sprintf("its source has said since, at %s, how it is", ep.Said.Format(time.RFC3339))})
		return
	}
	if in.Alert.Status == alert.Resolved {
		d.resolved(id, in)
		return
	}
	switch {
	case series != nil && in.Alert.StartsAt.Before(series.Latest):
		d.emit(AlertDropped{Episode: id, Delivery: in.Delivery, Reason: fmt.Sprintf("a newer firing of this alert began at %s", series.Latest.Format(time.RFC3339))})
	case ep == nil:
		d.emit(AlertOpened{Episode: id, Delivery: in.Delivery, Received: in.Received, Alert: in.Alert})
		d.match(id, in.Alert)
		d.supersede(in.Alert)
	case !ep.Firing() && in.Received.Sub(ep.ResolvedAt) < overtaken && !in.newer(ep):
		// By when it was received: it may be decided much later.
		d.emit(AlertDropped{Episode: id, Delivery: in.Delivery, Reason: fmt.Sprintf("this firing resolved already at %s", ep.ResolvedAt.Format(time.RFC3339))})
	case !ep.Firing():
		d.emit(AlertReopened{Episode: id, Delivery: in.Delivery, Received: in.Received, Said: in.Alert.At})
		d.reopens = true
		d.match(id, in.Alert)
	default:
		d.emit(AlertRepeated{Episode: id, Delivery: in.Delivery, Received: in.Received, Said: in.Alert.At})
		if ep.Rematch {
			d.match(id, in.Alert)
		}
	}
}

// resolved ends an episode. The runs that only waited to act end with it;
// those that verify come closer to their cure.
func (d *decider) resolved(id alert.EpisodeID, in AlertStep) {
	ep := d.st.Episodes[id]
	switch {
	case ep == nil:
		d.emit(AlertResolved{Episode: id, Delivery: in.Delivery, Received: in.Received, Alert: &in.Alert})
		d.supersede(in.Alert)
		return
	case !ep.Firing():
		d.emit(AlertDropped{Episode: id, Delivery: in.Delivery, Reason: "its resolve is known already"})
		return
	case ep.LastFiring.Sub(in.Received) >= overtaken:
		// It lay in quarantine, say. A resolve that firings overtook is not that old.
		d.emit(AlertDropped{Episode: id, Delivery: in.Delivery, Reason: fmt.Sprintf("it was heard firing since, at %s", ep.LastFiring.Format(time.RFC3339))})
		return
	}
	d.emit(AlertResolved{Episode: id, Delivery: in.Delivery, Received: in.Received, Said: in.Alert.At})
	d.ends(id, ep)
}

// newer reports whether the alert's source says that this came after all that was
// heard of the episode.
func (in AlertStep) newer(ep *Episode) bool { return !ep.Said.IsZero() && in.Alert.At.After(ep.Said) }

// supersede ends the firing of the same series that an alert is newer than.
func (d *decider) supersede(a alert.Alert) {
	series := d.st.Series[a.Series()]
	if series == nil || a.StartsAt.Before(series.Latest) {
		return
	}
	if last := d.st.Episodes[series.Episode]; last != nil && last.Firing() {
		d.ends(series.Episode, last)
	}
}

// ends tells the runs of an episode that it fires no longer, but for those that
// a newer one has just joined.
func (d *decider) ends(id alert.EpisodeID, ep *Episode) {
	joined := map[string]bool{}
	for _, ev := range d.events {
		if j, ok := ev.(RunJoined); ok {
			joined[j.Run] = true
		}
	}
	d.resolving = id
	for _, run := range ep.Runs {
		if r := d.st.Runs[run]; r != nil && r.Active() && !joined[run] {
			d.about(r)
			d.onResolve()
		}
	}
}

func (d *decider) onResolve() {
	if d.firing() {
		return
	}
	if d.run.Undoing != nil && d.run.Phase != PhaseParked {
		return // what was done is put back all the same
	}
	// What it comes to is for the rule to say only where something was done.
	var rule *Rule
	if d.run.Done > 0 || d.run.Phase == PhaseVerifying {
		var err error
		if rule, err = d.rule(); err != nil && d.run.Phase != PhaseParked && d.run.Phase != PhaseExecuting {
			d.withoutRule(err)
			return
		}
	}
	switch d.run.Phase {
	case PhasePlanning, PhaseHeld, PhaseChecking, PhaseApproval, PhaseRetrying, PhaseStanding:
		d.over(rule)
	case PhaseVerifying:
		if rule.Restore {
			d.over(rule)
			return
		}
		d.checkCured(rule)
	case PhaseParked:
		d.unsettled(rule, false, "%s; %s", becauseResolved, d.run.Why)
	case PhaseExecuting, PhaseUndoing, PhaseEnded:
		// An action under way is seen through, and then verified.
	}
}

// match sets off the rules in force. The first rule that may act takes the
// alert; rules that only observe or shadow leave it to those behind them.
func (d *decider) match(id alert.EpisodeID, a alert.Alert) {
	set, ok := d.sets.Set(d.st.RuleSet)
	if !ok {
		d.emit(AlertUnmatched{Episode: id, Reason: "no rules are loaded"})
		return
	}
	d.opening = id
	matches := set.Match(a, d.at)
	if len(matches) == 0 {
		d.emit(AlertUnmatched{Episode: id, Reason: "no rule is for this alert"})
		return
	}
	for _, m := range matches {
		d.run = nil
		if err := m.check(); err != nil {
			d.emit(RuleFailed{Episode: id, Rule: m.Rule.Name, Reason: err.Error()})
		} else {
			d.setOff(id, a, m)
		}
		if m.Rule.Mode.Acts() {
			return
		}
	}
}

// setOff joins the active run of this rule and group or target, or starts one.
func (d *decider) setOff(id alert.EpisodeID, a alert.Alert, m Match) {
	ep := d.st.Episodes[id]
	if ep != nil && !d.reopens && slices.Contains(ep.Settled, m.Rule.Name) {
		return
	}
	joins := pastKey(m.Rule.Name, m.Target)
	if m.Group != "" {
		joins = groupKey(m.Rule.Name, m.Group)
	}
	if runs := d.st.index.handling[joins]; len(runs) > 0 {
		if !slices.Contains(d.st.Runs[runs[0]].Episodes, id) {
			d.emit(RunJoined{Run: runs[0], Episode: id})
		}
		return
	}
	start := RunStarted{
		Run: d.runID(m, id), Rule: m.Rule.Name, RuleSet: d.st.RuleSet, Mode: m.Rule.Mode,
		Target: m.Target, Episode: id, Alert: a, Group: m.Group,
	}
	// A place that cannot be told is the reporter's own choice.
	start.Report, _ = render(m.Rule.Report, Scope{
		Alert: a, Target: m.Target, Now: d.at, Run: RunScope{ID: start.Run, Rule: m.Rule.Name, StartedAt: d.at},
	})
	d.emit(start)
	d.run = newRun(start, d.at)
	if m.Rule.Mode == ModeObserve {
		d.end(Observed, "mode observe only records")
		return
	}
	d.issuePlan()
}

// runID is the same for the same decision, so that a replay names runs alike.
func (d *decider) runID(m Match, id alert.EpisodeID) string {
	before := 0
	if ep := d.st.Episodes[id]; ep != nil {
		before = len(ep.Runs)
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{
		m.Rule.Name, m.Target.String(), string(id), strconv.FormatInt(d.at.UnixNano(), 10), strconv.Itoa(before),
	}, "\x00")))
	return "r" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:11])
}
