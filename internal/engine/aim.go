package engine

// Aim follows, by a run's events, which target the run is about: for whoever reads
// the ledger without the state. It is not that of the plan of an action that has a
// target of its own.
type Aim struct {
	stated, target, asked Target
	known                 bool
}

// NewAim begins with what the rule states.
func NewAim(stated Target) Aim { return Aim{stated: stated, target: stated} }

// Target is the canonical target, or, while that is not known, the stated one.
func (a *Aim) Target() Target { return a.target }

// Known reports whether a plan has told the canonical target.
func (a *Aim) Known() bool { return a.known }

// Follow takes the next event of the run. A plan of which it did not see what it was
// asked for counts as the run's.
func (a *Aim) Follow(ev Event) {
	switch e := ev.(type) {
	case TaskIssued:
		a.asked = e.Task.Target
	case TaskAnswered:
		own := a.asked == Target{} || a.asked == a.stated || a.asked == a.target
		if p := e.Result.Plan; p != nil && e.Result.Failure == nil && own {
			a.target, a.known = p.Target, true
		}
	}
}
