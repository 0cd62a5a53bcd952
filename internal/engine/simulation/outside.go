package simulation

import (
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// outside is what may be known from INBOX alone, up to a message.
type outside struct {
	read   int
	paused map[string]bool
	// resolved are the episodes whose last word was a resolve, heard when each
	// was last said to fire, newest the latest start of each series.
	resolved map[alert.EpisodeID]bool
	heard    map[alert.EpisodeID]time.Time
	starts   map[alert.EpisodeID]time.Time
	newest   map[string]time.Time
	// approved has run and plan of every approval that was ever given.
	approved map[string]bool
	// failed is the class of each task's first answer; empty for a success.
	failed map[string]engine.Class
	// outcomes are what execute tasks answered first.
	outcomes map[string]engine.Outcome
	// firings are the alerts, of those that are followed, that were ever said to fire.
	firings map[alert.EpisodeID]*firing
}

// firing is an episode of an alert that is followed. Sure says that its
// firing was decided, ended that some message told of its end, or of a newer
// firing: from then on it is not sure that the engine takes it for one that fires.
type firing struct {
	alert       alert.Alert
	sure, ended bool
}

func newOutside() outside {
	return outside{
		paused: map[string]bool{}, resolved: map[alert.EpisodeID]bool{}, heard: map[alert.EpisodeID]time.Time{},
		starts: map[alert.EpisodeID]time.Time{}, newest: map[string]time.Time{}, approved: map[string]bool{},
		failed: map[string]engine.Class{}, outcomes: map[string]engine.Outcome{}, firings: map[alert.EpisodeID]*firing{},
	}
}

func (k *outside) fires(id alert.EpisodeID) bool {
	return !k.resolved[id] && !k.starts[id].Before(k.newest[seriesOf(id)])
}

func seriesOf(id alert.EpisodeID) string {
	return string(id[:strings.LastIndexByte(string(id), '/')])
}

// upTo reads the messages that were decided before the one at hand.
func (k *outside) upTo(inbox []message) {
	for ; k.read < len(inbox); k.read++ {
		k.loosen(inbox[k.read])
		k.tighten(inbox[k.read])
	}
}

// loosen takes from a message what may let a run act. Of the message at hand
// that is all that can be used: which of its lines a decision had seen is not
// known.
func (k *outside) loosen(m message) {
	for _, in := range m.inputs {
		switch {
		case in.Command != nil && in.Command.Verb == engine.Resume:
			delete(k.paused, in.Command.Scope)
		case in.Command != nil && in.Command.Verb == engine.Approve:
			k.approved[in.Command.Run+in.Command.Plan] = true
		case in.Result != nil:
			k.answer(*in.Result)
		case in.Delivery != nil:
			for _, a := range in.Delivery.Alerts {
				k.hearsOf(a)
				k.starts[a.Episode()] = a.StartsAt
				if a.Status == alert.Firing {
					delete(k.resolved, a.Episode())
					if in.Delivery.ReceivedAt.After(k.heard[a.Episode()]) {
						k.heard[a.Episode()] = in.Delivery.ReceivedAt
					}
				}
			}
		}
	}
}

func (k *outside) answer(res engine.Result) {
	if _, again := k.failed[res.Task]; again {
		return
	}
	k.failed[res.Task] = ""
	if res.Failure != nil {
		k.failed[res.Task] = res.Failure.Class
	}
	if res.Outcome != nil {
		k.outcomes[res.Task] = *res.Outcome
	}
}

// hearsOf notes an alert that is followed, and which firings it puts an end to.
func (k *outside) hearsOf(a alert.Alert) {
	if !followed(a.Name) {
		return
	}
	if k.firings[a.Episode()] == nil {
		k.firings[a.Episode()] = &firing{alert: a, ended: a.StartsAt.Before(k.newest[a.Series()])}
	}
	for id, f := range k.firings {
		resolved := a.Status == alert.Resolved && id == a.Episode()
		if resolved || f.alert.Series() == a.Series() && f.alert.StartsAt.Before(a.StartsAt) {
			f.ended = true
		}
	}
}

// followed names the alerts of which it matters that they surely fire: those that
// hold runs of rules which are for others, and those of schedules.
func followed(name string) bool { return name == "Region" || name == "Deploy" || name == night }

// surelyFires finds an alert that fires beyond doubt, and is such a one.
func (k *outside) surelyFires(such func(alert.Alert) bool) (first alert.EpisodeID, fires bool) {
	for id, f := range k.firings {
		if f.sure && !f.ended && (!fires || id < first) && such(f.alert) {
			first, fires = id, true
		}
	}
	return first, fires
}

// tighten takes from a message what forbids a run to act.
func (k *outside) tighten(m message) {
	for _, in := range m.inputs {
		switch {
		case in.Command != nil && in.Command.Verb == engine.Pause:
			if engine.ParseScope(in.Command.Scope) == nil {
				k.paused[in.Command.Scope] = true
			}
		case in.Delivery != nil:
			for _, a := range in.Delivery.Alerts {
				if a.Status == alert.Firing && followed(a.Name) {
					k.firings[a.Episode()].sure = true
				}
				if a.Status == alert.Resolved {
					k.resolved[a.Episode()] = true
				}
				if a.StartsAt.After(k.newest[a.Series()]) {
					k.newest[a.Series()] = a.StartsAt
				}
			}
		}
	}
}

// mayFire reports whether such an alert may fire.
func (k *outside) mayFire(such func(alert.Alert) bool) bool {
	for id, f := range k.firings {
		if such(f.alert) && k.fires(id) {
			return true
		}
	}
	return false
}
