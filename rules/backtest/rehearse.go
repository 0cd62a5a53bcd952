package backtest

import (
	"container/heap"
	"maps"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/engine/rehearsal"
)

// conditions are what a rehearsal assumes of the world.
type conditions struct {
	assume       Assumption
	approveAfter time.Duration
	answered     map[string]struct{}
}

// rehearse plays a history by virtual time, with a model of the workers.
type rehearse struct {
	sets    *sets
	own     bool // the recorded rules are the ones to play
	is      conditions
	observe observer
	leftOut *LeftOut

	stage *rehearsal.Stage
	// due are what the model will do, in order.
	due   appointments
	added int
	// open are the verifications that wait for the history, by task.
	open map[string]verification
	// recorded are the tasks whose answer stands in the recording.
	recorded map[string]struct{}
	// rules are the recorded rules in force, and cured the episodes that the
	// model has ended.
	rules engine.RuleSet
	cured map[alert.EpisodeID]struct{}
	err   error
}

// newRehearsal plays under a set, or, if that is nil, under the recorded ones.
func newRehearsal(s *sets, set engine.RuleSet, is conditions, leftOut *LeftOut, observe observer) *rehearse {
	is.answered = maps.Clone(is.answered) // they are crossed off
	p := &rehearse{
		sets: s, own: set == nil, is: is, observe: observe, leftOut: leftOut,
		open: map[string]verification{}, recorded: map[string]struct{}{}, cured: map[alert.EpisodeID]struct{}{},
	}
	if set != nil {
		s.add(set.Digest(), set)
		p.schedule(time.Time{}, func(at time.Time) { p.put(at, engine.Input{Rules: &engine.NewRules{Digest: set.Digest()}}) })
	}
	return p
}

func (p *rehearse) state() *engine.State { return p.stage.State() }

// begin makes the stage when the time of the first input is known.
func (p *rehearse) begin(at time.Time) {
	if p.stage == nil {
		p.stage = rehearsal.New(rehearsal.Options{Sets: p.sets, Worker: p, Observe: p.observed}, at)
	}
}

func (p *rehearse) feed(r Recorded) error {
	p.begin(r.At)
	if err := p.play(r.At); err != nil {
		return err
	}
	in, ok, err := p.admit(r.Input)
	if err != nil || !ok {
		return err
	}
	p.put(r.At, in)
	return p.err
}

func (p *rehearse) finish(until time.Time) error {
	p.begin(until)
	if err := p.play(until); err != nil {
		return err
	}
	return p.stage.Run(until)
}

// play does what is due until a time: the model's doings up to it, and the
// engine's own wakes before it.
func (p *rehearse) play(until time.Time) error {
	for p.err == nil {
		wake := p.stage.State().NextWake()
		if !wake.IsZero() && wake.Before(until) && (len(p.due) == 0 || wake.Before(p.due[0].at)) {
			p.run(wake)
			continue
		}
		if len(p.due) == 0 || p.due[0].at.After(until) {
			break
		}
		if m, ok := heap.Pop(&p.due).(appointment); ok {
			if now := p.stage.Now(); m.at.Before(now) {
				m.at = now
			}
			m.do(m.at)
		}
	}
	return p.err
}

// put hands an input to the engine now.
func (p *rehearse) put(at time.Time, in engine.Input) {
	p.stage.At(at, in)
	p.run(at)
}

func (p *rehearse) run(until time.Time) {
	if err := p.stage.Run(until); err != nil && p.err == nil {
		p.err = err
	}
}

// observed hands on what followed, and looks for what the model reacts to.
func (p *rehearse) observed(at time.Time, in engine.Input, events []engine.Event) error {
	for _, ev := range events {
		switch e := ev.(type) {
		case engine.AlertOpened:
			p.lookAgain(at, func(id alert.EpisodeID) bool { return strings.HasPrefix(string(id), e.Alert.Series()+"/") })
		case engine.AlertResolved:
			p.lookAgain(at, func(id alert.EpisodeID) bool { return id == e.Episode })
		case engine.ApprovalAsked:
			p.asked(at, e)
		case engine.VerifyStarted:
			p.cure(at, e.Run)
		}
	}
	return p.observe(at, in, events)
}

// admit says whether a recorded input is part of this history, and what of it.
func (p *rehearse) admit(in engine.Input) (engine.Input, bool, error) {
	switch {
	case in.Delivery != nil:
		d, ok := p.uncured(in.Delivery)
		return engine.Input{Delivery: d}, ok, nil
	case in.Tick != nil:
		return in, false, nil
	case in.Rules != nil:
		return in, p.own, p.learn(in.Rules)
	case in.Result != nil:
		delete(p.is.answered, in.Result.Task)
		if _, ok := p.recorded[in.Result.Task]; !ok {
			p.leftOut.Results++
			return in, false, nil
		}
		delete(p.recorded, in.Result.Task)
		return in, true, nil
	case in.Command != nil && !p.fits(*in.Command):
		p.leftOut.Commands++
		return in, false, nil
	}
	return in, true, nil
}

// learn keeps the recorded rules, to play them, or to know what the recorded
// answers are answers to. In the latter case they need not compile any more.
func (p *rehearse) learn(n *engine.NewRules) error {
	err := p.sets.learn(n)
	if err != nil && p.own {
		return err
	}
	if p.rules, _ = p.sets.Set(n.Digest); err != nil {
		p.rules = nil
	}
	if !p.own {
		p.leftOut.RuleSets++
	}
	return nil
}

// fits reports whether what a command is about is in this history, too.
func (p *rehearse) fits(c engine.Command) bool {
	if c.Verb == engine.Pause || c.Verb == engine.Resume {
		return true
	}
	r := p.stage.State().Runs[c.Run]
	if r == nil || !r.Active() {
		return false
	}
	return c.Verb == engine.Cancel || r.Phase == engine.PhaseApproval && r.PlanDigest() == c.Plan
}

// uncured is a delivery without the alerts of episodes that the model has ended.
func (p *rehearse) uncured(d *alert.Delivery) (*alert.Delivery, bool) {
	if len(p.cured) == 0 {
		return d, true
	}
	left := *d
	left.Alerts = nil
	for _, a := range d.Alerts {
		if _, ok := p.cured[a.Episode()]; !ok {
			left.Alerts = append(left.Alerts, a)
		}
	}
	return &left, len(left.Alerts) > 0
}

// asked has somebody approve, if that is assumed.
func (p *rehearse) asked(at time.Time, e engine.ApprovalAsked) {
	if p.is.approveAfter <= 0 {
		return
	}
	p.schedule(at.Add(p.is.approveAfter), func(at time.Time) {
		c := engine.Command{Verb: engine.Approve, By: "backtest", Run: e.Run, Plan: e.Plan}
		if p.fits(c) {
			p.put(at, engine.Input{Command: &c})
		}
	})
}

// schedule has the model do something at a time.
func (p *rehearse) schedule(at time.Time, do func(at time.Time)) {
	p.added++
	heap.Push(&p.due, appointment{at: at, order: p.added, do: do})
}

// answer has a task answered after a time.
func (p *rehearse) answer(at time.Time, res engine.Result) {
	p.schedule(at, func(at time.Time) {
		res.At, res.Worker = at, modelName
		p.put(at, engine.Input{Result: &res})
	})
}

// appointment is something that the model does; appointments is a heap of them.
type appointment struct {
	at    time.Time
	order int
	do    func(at time.Time)
}

type appointments []appointment

func (m appointments) Len() int { return len(m) }
func (m appointments) Less(i, j int) bool {
	if !m[i].at.Equal(m[j].at) {
		return m[i].at.Before(m[j].at)
	}
	return m[i].order < m[j].order
}
func (m appointments) Swap(i, j int) { m[i], m[j] = m[j], m[i] }

// Push and Pop implement heap.Interface.
func (m *appointments) Push(x any) { *m = append(*m, x.(appointment)) } //nolint:forcetypeassert,errcheck // heap.Push is only called with a appointment

func (m *appointments) Pop() any {
	last := (*m)[len(*m)-1]
	*m = (*m)[:len(*m)-1]
	return last
}
