package main

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// atRandom stands for a kill at a random time instead of at a point.
const atRandom = "random"

// namedPoints are where the bus and the worker let a hook in, in the order in
// which one alert passes them.
func namedPoints() []string {
	return []string{
		"inbox.publish.before", "inbox.publish.after",
		"ledger.append.before", "ledger.append.after",
		"work.publish.before", "work.publish.after",
		"claim.before", "claim.after",
		"worker.call.before", "worker.call.after",
		"worker.result.before", "worker.result.after",
		"worker.ack.before", "worker.ack.after",
	}
}

// parsePoints reads the flag: a comma-separated list, empty for all.
func parsePoints(list string) ([]string, error) {
	all := append(namedPoints(), atRandom)
	if list == "" {
		return all, nil
	}
	chosen := strings.Split(list, ",")
	for _, p := range chosen {
		if !slices.Contains(all, p) {
			return nil, fmt.Errorf("point %q: want some of %s", p, strings.Join(all, ", "))
		}
	}
	return chosen, nil
}

// kill is one end of a life.
type kill struct {
	Point string `json:"point,omitempty"`
	// Nth is which passing of a named point ends the life, from 1.
	Nth int64 `json:"nth,omitempty"`
	// After is when a kill at a random time comes, from the life's start.
	After time.Duration `json:"after,omitempty"`
}

func (k kill) String() string {
	switch k.Point {
	case "":
		return "none"
	case atRandom:
		return fmt.Sprintf("%s after %v", k.Point, k.After.Round(time.Millisecond))
	default:
		return fmt.Sprintf("%s #%d", k.Point, k.Nth)
	}
}

// plan is what one iteration does.
type plan struct {
	// Point and Number name the iteration; the seed and these make the kills.
	Point  string `json:"point"`
	Number int    `json:"number"`
	Try    int    `json:"try"`
	Kills  []kill `json:"kills"`
}

func (p plan) String() string { return fmt.Sprintf("%s-%d-%d", p.Point, p.Number, p.Try) }

// measure is what a life without a kill showed: how often it passes each point,
// and how long it takes.
type measure struct {
	Hits map[string]int64
	Took time.Duration
}

const (
	// every so often an iteration kills twice.
	twiceOf = 4
	// maxTries is how often a kill whose point was not passed often enough is
	// planned again, earlier each time.
	maxTries = 6
)

// plan makes the plan of an iteration. Each try halves how late the first kill may come.
func (m measure) plan(seed uint64, point string, number, try int) plan {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s/%d/%d", point, number, try) // a hash never fails
	random := rand.New(rand.NewPCG(seed, h.Sum64()))
	p := plan{Point: point, Number: number, Try: try, Kills: []kill{m.kill(random, point, 1<<try)}}
	if random.IntN(twiceOf) == 0 {
		all := append(namedPoints(), atRandom)
		// The second life has less to do.
		p.Kills = append(p.Kills, m.kill(random, all[random.IntN(len(all))], 3))
	}
	return p
}

func (m measure) kill(random *rand.Rand, point string, earlier int64) kill {
	if point == atRandom {
		return kill{Point: point, After: time.Duration(random.Int64N(int64(m.Took) / earlier))}
	}
	return kill{Point: point, Nth: 1 + random.Int64N(max(m.Hits[point]/earlier, 1))}
}
