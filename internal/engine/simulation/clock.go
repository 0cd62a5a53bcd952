package simulation

import (
	"container/heap"
	"time"
)

// clock is virtual time and what is to happen in it. What is due at one time
// happens in the order in which it was asked for.
type clock struct {
	now  time.Time
	next int
	due  moments
}

type moment struct {
	at    time.Time
	order int
	do    func()
}

func (c *clock) at(t time.Time, do func()) {
	if t.Before(c.now) {
		t = c.now
	}
	c.next++
	heap.Push(&c.due, moment{t, c.next, do})
}

func (c *clock) after(d time.Duration, do func()) { c.at(c.now.Add(d), do) }

// step makes the next thing happen; false if nothing is left to.
func (c *clock) step() bool {
	if len(c.due) == 0 {
		return false
	}
	m := heap.Pop(&c.due).(moment) //nolint:forcetypeassert,errcheck // only moments are pushed
	c.now = m.at
	m.do()
	return true
}

type moments []moment

func (m moments) Len() int { return len(m) }
func (m moments) Less(i, j int) bool {
	if !m[i].at.Equal(m[j].at) {
		return m[i].at.Before(m[j].at)
	}
	return m[i].order < m[j].order
}
func (m moments) Swap(i, j int) { m[i], m[j] = m[j], m[i] }

// Push and Pop implement heap.Interface.
func (m *moments) Push(x any) { *m = append(*m, x.(moment)) } //nolint:forcetypeassert,errcheck // only moments are pushed

func (m *moments) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}
