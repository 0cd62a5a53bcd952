package kubernetes

import (
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// planMinimum plans to raise, or lower, the least that an autoscaler keeps: it would
// undo a change of the replicas themselves within seconds.
func planMinimum(cluster string, w *workload, a *autoscaler, params scaleParams) (engine.Plan, error) {
	to, err := params.minimum(*w.replicas, a)
	if err != nil {
		return engine.Plan{}, remediators.Terminal("%s is not scaled: %w", w, err)
	}
	seen, err := preconditionOf(&a.meta).encode()
	if err != nil {
		return engine.Plan{}, err
	}
	// A least number that is raised takes no pod away; one that is lowered lets the
	// autoscaler do so.
	left := to
	if to >= a.least() {
		left = max(to, *w.replicas)
	}
	plan := engine.Plan{Target: w.target(cluster), Health: w.health.scaled(left), Precondition: seen}
	if to == a.least() {
		plan.Noop = true
		plan.Summary = fmt.Sprintf("%s in %s, which scales %s, keeps at least %d replicas already", a, cluster, w, to)
		return plan, nil
	}
	do := "raise"
	if to < a.least() {
		do = "lower"
	}
	plan.Summary = fmt.Sprintf("%s the least replicas that %s in %s keeps of %s from %d to %d, of at most %d", do, a, cluster, w, a.least(), to, a.max)
	plan.Changes = []engine.Change{scaling{a.lever(cluster), a.min, to}.change()}
	return plan, nil
}

// minimum works out the new least number. It is raised from the number of replicas
// that there are, or are about to be, and lowered from what it is itself: how many
// there are above it is for the autoscaler to say.
func (p scaleParams) minimum(replicas int32, a *autoscaler) (int32, error) {
	least := a.least()
	if err := p.steerable(replicas, a); err != nil {
		return 0, err
	}
	if p.down() || p.Replicas != nil {
		to, err := p.next(least)
		switch {
		case err != nil:
			return 0, fmt.Errorf("%s keeps at least %d: %w", a, least, err)
		case to > a.max:
			return 0, fmt.Errorf("%s keeps at most %d, fewer than %d; raise its maximum, or ask for fewer", a, a.max, to)
		case a.idle != nil && to <= *a.idle:
			return 0, fmt.Errorf("%s keeps %d while it is idle (spec.idleReplicaCount), and its least must be more", a, *a.idle)
		}
		return to, nil
	}
	from := max(replicas, least)
	if from >= a.max {
		return 0, fmt.Errorf("it is already at max: %s keeps at most %d; raise its maximum", a, a.max)
	}
	to, err := p.next(from)
	if err != nil {
		return 0, err
	}
	if to < from {
		return 0, fmt.Errorf("it has %d replicas, more than max %d, and the least that %s keeps does not lower them", from, to, a)
	}
	return min(to, a.max), nil
}

// steerable refuses where a least number would do nothing, or was switched off by
// somebody.
func (p scaleParams) steerable(replicas int32, a *autoscaler) error {
	switch why := a.paused(); {
	case p.Replicas != nil && *p.Replicas == 0:
		return fmt.Errorf("%s would start it again; kubernetes.scale-to-zero switches that off, too", a)
	case why != "":
		return fmt.Errorf("%s is paused by its annotation %s; remove that first", a, why)
	case a.kind == kindScaledObject && a.told(pausedOutAnnotation) != "" && !p.down():
		return fmt.Errorf("%s may not scale out, by its annotation %s; remove that first", a, a.told(pausedOutAnnotation))
	case a.idle != nil && replicas <= *a.idle && !p.down():
		return fmt.Errorf("%s keeps it at %d while no trigger is active (spec.idleReplicaCount), however many its least are", a, *a.idle)
	case replicas == 0 && a.kind == kindPodAutoscaler && a.least() > 0:
		return fmt.Errorf("it is scaled to 0, which somebody meant, and which switches %s off; scale it to 1 by hand first", a)
	}
	return nil
}
