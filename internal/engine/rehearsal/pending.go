package rehearsal

import (
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// The ranks of what comes at one time. An input's is zero.
const (
	rankAnswer = iota + 1
	rankThen
)

// scheduled is an input that is yet to come, or, if next is set, that is yet to
// be told.
type scheduled struct {
	at    time.Time
	rank  int
	order int
	in    engine.Input
	next  func() (engine.Input, bool, error)
}

// pending is a heap of them.
type pending []scheduled

func (p pending) Len() int { return len(p) }
func (p pending) Less(i, j int) bool {
	switch {
	case !p[i].at.Equal(p[j].at):
		return p[i].at.Before(p[j].at)
	case p[i].rank != p[j].rank:
		return p[i].rank < p[j].rank
	}
	return p[i].order < p[j].order
}
func (p pending) Swap(i, j int) { p[i], p[j] = p[j], p[i] }

// Push and Pop implement heap.Interface.
func (p *pending) Push(x any) { *p = append(*p, x.(scheduled)) } //nolint:forcetypeassert,errcheck // heap.Push is only called with a scheduled

func (p *pending) Pop() any {
	last := (*p)[len(*p)-1]
	*p = (*p)[:len(*p)-1]
	return last
}
