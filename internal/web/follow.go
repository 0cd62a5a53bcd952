package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/explain"
	"github.com/tripgen/paramedic/internal/web/api"
)

// follower tells which events are about one run, or about any.
type follower struct {
	run      string // empty for every event
	episodes map[alert.EpisodeID]bool
	// marks are found in every record that may be about the run.
	marks [][]byte
}

func newFollower(run string, episodes []alert.EpisodeID) *follower {
	f := &follower{run: run, episodes: map[alert.EpisodeID]bool{}}
	f.mark(run)
	for _, ep := range episodes {
		f.episode(ep)
	}
	return f
}

// mark looks for s as it stands inside a JSON string.
func (f *follower) mark(s string) {
	if b, err := json.Marshal(s); err == nil && len(b) > 2 {
		f.marks = append(f.marks, b[1:len(b)-1])
	}
}

func (f *follower) episode(id alert.EpisodeID) {
	if !f.episodes[id] {
		f.episodes[id] = true
		f.mark(string(id))
	}
}

// mayConcern says whether a record is worth decoding.
func (f *follower) mayConcern(record []byte) bool {
	if f.run == "" {
		return true
	}
	for _, m := range f.marks {
		if bytes.Contains(record, m) {
			return true
		}
	}
	return false
}

// concerns says whether an event is about the run, and learns its alerts.
func (f *follower) concerns(ev engine.Event) bool {
	if f.run == "" {
		return true
	}
	if run, ok := engine.RunOf(ev); ok {
		if merged, is := ev.(engine.RunMerged); is && merged.Into == f.run {
			return true
		}
		if run != f.run {
			return false
		}
		switch e := ev.(type) {
		case engine.RunStarted:
			f.episode(e.Episode)
		case engine.RunJoined:
			f.episode(e.Episode)
		}
		return true
	}
	switch e := ev.(type) {
	case engine.AlertOpened:
		return f.episodes[e.Episode]
	case engine.AlertRepeated:
		return f.episodes[e.Episode]
	case engine.AlertReopened:
		return f.episodes[e.Episode]
	case engine.AlertResolved:
		return f.episodes[e.Episode]
	case engine.AnswerIgnored:
		// A task's id begins with its run's.
		return strings.HasPrefix(e.Result.Task, f.run+".")
	case engine.CommandRefused:
		return e.Command.Run == f.run
	}
	return false
}

// entry makes an event what clients see of it.
func entry(seq uint64, index int, at time.Time, ev engine.Event) (api.Entry, error) {
	data, err := json.Marshal(ev)
	if err != nil {
		return api.Entry{}, fmt.Errorf("event %s: %w", ev.Kind(), err)
	}
	e := api.Entry{
		Seq: seq, Index: index, At: at, Kind: ev.Kind(), Topic: explain.Topic(ev), Sentence: explain.Sentence(ev), Event: data,
	}
	e.Run, _ = engine.RunOf(ev)
	switch end := ev.(type) {
	case engine.RunEnded:
		e.Outcome = end.Outcome
	case engine.RunMerged:
		e.Outcome = engine.Merged
	}
	return e, nil
}
