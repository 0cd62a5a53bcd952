package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// evidence is what was found after an iteration.
type evidence struct {
	// Alerts are those that got a 202 while they fired, by deployment.
	Alerts map[string]alert.EpisodeID `json:"alerts"`
	// Patches are what the product's user asked the API server for, by its audit log.
	Patches []patch `json:"patches"`
	// Generations is by how much each deployment's generation grew.
	Generations map[string]int64 `json:"generations"`
	// Events are the ledger's, in order.
	Events []engine.Event `json:"-"`
	// Broken is why the ledger does not verify.
	Broken string `json:"broken,omitempty"`
}

// patch is one request to change a deployment.
type patch struct {
	Deployment string `json:"deployment"`
	// Code is the answer's.
	Code int `json:"code"`
	// Task is what the change itself says that it belongs to: run.attempt.action.kind.try.
	Task string `json:"task"`
}

func (p patch) succeeded() bool { return p.Code/100 == 2 }

// cutOff says that the request ended before the API server knew what became of
// it, as when its client dies. The change may have been made.
func (p patch) cutOff() bool { return p.Code < 200 || p.Code >= 500 }

// attempt is the part of the task's id that names its attempt.
func (p patch) attempt() string {
	parts := strings.SplitN(p.Task, ".", 3)
	if len(parts) < 3 {
		return p.Task
	}
	return parts[0] + "." + parts[1]
}

// story is what the ledger says.
type story struct {
	// runs of each episode, and the end of each run.
	runs map[alert.EpisodeID][]string
	ends map[string]engine.RunFinal
	all  map[string]bool
}

func storyOf(events []engine.Event) story {
	s := story{runs: map[alert.EpisodeID][]string{}, ends: map[string]engine.RunFinal{}, all: map[string]bool{}}
	for _, ev := range events {
		switch e := ev.(type) {
		case engine.RunStarted:
			s.runs[e.Episode] = append(s.runs[e.Episode], e.Run)
			s.all[e.Run] = true
		case engine.RunJoined:
			s.runs[e.Episode] = append(s.runs[e.Episode], e.Run)
		case engine.RunEnded:
			s.ends[e.Run] = e.Outcome
		case engine.RunMerged:
			s.ends[e.Run] = engine.Merged
		}
	}
	return s
}

// verdict collects broken promises.
type verdict []string

func (v *verdict) find(format string, args ...any) { *v = append(*v, fmt.Sprintf(format, args...)) }

// judge returns every promise that was broken; nothing if all were kept. Each
// deployment had one alert or none, and its rule has one attempt with one action.
func judge(e evidence) []string {
	var v verdict
	if e.Broken != "" {
		v.find("the ledger does not verify: %s", e.Broken)
	}
	v.judgeRuns(e)
	v.judgeChanges(e)
	return v
}

// judgeRuns holds that every alert ends in exactly one run, and this in a cure.
func (v *verdict) judgeRuns(e evidence) {
	s := storyOf(e.Events)
	for _, deployment := range slices.Sorted(maps.Keys(e.Alerts)) {
		runs := s.runs[e.Alerts[deployment]]
		if len(runs) != 1 {
			v.find("%s: its alert was accepted and ends in %d runs %v, not in one", deployment, len(runs), runs)
		}
		for _, r := range runs {
			if s.ends[r] != engine.Cured {
				v.find("%s: run %s ended %q, not cured", deployment, r, s.ends[r])
			}
		}
	}
	if len(s.all) != len(e.Alerts) {
		v.find("%d runs for %d alerts", len(s.all), len(e.Alerts))
	}
}

// judgeChanges holds that what had an alert was changed once, by one attempt, and
// nothing else was.
func (v *verdict) judgeChanges(e evidence) {
	v.judgeAttempts(e.Patches)
	made, maybe := map[string]int64{}, map[string]int64{}
	for _, p := range e.Patches {
		switch {
		case p.succeeded():
			made[p.Deployment]++
		case p.cutOff():
			maybe[p.Deployment]++
		}
	}
	for _, deployment := range slices.Sorted(maps.Keys(e.Generations)) {
		want := int64(0)
		if _, alerted := e.Alerts[deployment]; alerted {
			want = 1
		}
		if n, m := made[deployment], maybe[deployment]; n > want || n+m < want {
			v.find("%s: %d changes by the audit log, and %d that were cut off, want %d", deployment, n, m, want)
		}
		if n := e.Generations[deployment]; n != want {
			v.find("%s: its generation grew by %d, want %d", deployment, n, want)
		}
	}
	for _, changed := range slices.Sorted(maps.Keys(made)) {
		if _, ours := e.Generations[changed]; !ours {
			v.find("%s was changed, and nothing was wrong with it", changed)
		}
	}
}

// judgeAttempts holds that no attempt changed anything more than once.
func (v *verdict) judgeAttempts(patches []patch) {
	attempts := map[string]int{}
	for _, p := range patches {
		switch {
		case !p.succeeded():
			continue
		case p.Task == "":
			v.find("%s was changed by a request that names no task", p.Deployment)
			continue
		}
		if attempts[p.attempt()]++; attempts[p.attempt()] == 2 {
			v.find("%s was changed more than once by attempt %s", p.Deployment, p.attempt())
		}
	}
}
