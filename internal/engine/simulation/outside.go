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
}

func newOutside() outside {
	return outside{
		paused: map[string]bool{}, resolved: map[alert.EpisodeID]bool{}, heard: map[alert.EpisodeID]time.Time{},
		starts: map[alert.EpisodeID]time.Time{}, newest: map[string]time.Time{}, approved: map[string]bool{},
		failed: map[string]engine.Class{},
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
