package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Scale changes how many instances there are of something that Azure runs several of:
// the machines of a virtual machine scale set, or the nodes of an AKS node pool.
//
// Azure compares the ETag before it writes, and a tag tells which tasks wrote it, so
// what was sent late or twice is refused. That something else scales it by itself is
// refused, too.
type Scale struct {
	setter
	fleet fleet
}

// NewVMSSScale makes the action for virtual machine scale sets.
func NewVMSSScale(accounts Accounts) *Scale { return newScale(accounts, scaleSets{}) }

// NewAKSScale makes the action for node pools of Azure Kubernetes Service.
func NewAKSScale(accounts Accounts) *Scale { return newScale(accounts, nodePools{}) }

func newScale(accounts Accounts, f fleet) *Scale {
	return &Scale{setter: setter{
		accounts: accounts,
		kinds:    []string{f.kind()},
		fenced:   true,
		open:     func(at place, _ string) setting { return countSetting{at: at, fleet: f} },
	}, fleet: f}
}

// fleet is what there are several instances of.
type fleet interface {
	// kind is its type; spec has the action's name, summary and parameters.
	kind() string
	spec() remediators.Spec
	// at is the one that a task is about, with the task's parameters.
	at(accounts Accounts, t engine.Task) (place, scaleParams, error)
	// what is what messages call one.
	what(at place) string
	// get reads it, and autoscaled whether an autoscaler of another service has it,
	// and which; the errors are classified.
	get(ctx context.Context, at place) (fleetState, error)
	autoscaled(ctx context.Context, at place) (string, error)
	// change is the request for another number.
	change(at place, from state, to int, m marks) (request, error)
}

// fleetState is how one is.
type fleetState struct {
	state
	count int
	// fixed says why nobody should scale it; empty if one may.
	fixed string
}

// Spec implements [remediators.Remediator].
func (s *Scale) Spec() remediators.Spec {
	spec := s.fleet.spec()
	spec.System, spec.Fenced = engine.SystemAzure, true
	return spec
}

// Plan implements [remediators.Remediator].
func (s *Scale) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	at, params, err := s.fleet.at(s.accounts, t)
	if err != nil {
		return engine.Plan{}, err
	}
	if err := params.check(t); err != nil {
		return engine.Plan{}, err
	}
	what := s.fleet.what(at)
	is, err := s.fleet.get(ctx, at)
	if err != nil {
		return engine.Plan{}, err
	}
	if is.Marks.has(t.ID) {
		return engine.Plan{}, remediators.UnknownOutcome("azure: %s: task %s has already changed it", what, t.ID)
	}
	if is.busy != "" {
		return engine.Plan{}, remediators.Retryable(0, "azure: %s: Azure is at it: %s", what, is.busy)
	}
	if is.fixed == "" {
		if is.fixed, err = s.fleet.autoscaled(ctx, at); err != nil {
			return engine.Plan{}, err
		}
	}
	if is.fixed != "" {
		return engine.Plan{}, remediators.Terminal("azure: %s is not scaled: %s", what, is.fixed)
	}
	to, err := params.from(is.count)
	if err != nil {
		return engine.Plan{}, remediators.Terminal("azure: %s is not scaled: %w", what, err)
	}
	p := engine.Plan{Target: at.target()}
	if p.Summary = fmt.Sprintf("%s has %d instances already", what, is.count); to != is.count {
		p.Summary = fmt.Sprintf("scale %s from %d to %d instances", what, is.count, to)
		p.Changes = []engine.Change{{Field: "count", From: strconv.Itoa(is.count), To: strconv.Itoa(to)}}
	}
	return s.plan(t, p, intent{
		From: is.state, To: json.RawMessage(strconv.Itoa(to)),
		Done: fmt.Sprintf("scaled %s from %d to %d instances", what, is.count, to),
	})
}

// countSetting is a number of instances as something that is set.
type countSetting struct {
	at    place
	fleet fleet
}

func (s countSetting) String() string { return s.fleet.what(s.at) }

func (s countSetting) read(ctx context.Context) (state, error) {
	is, err := s.fleet.get(ctx, s.at)
	return is.state, err
}

func (s countSetting) write(ctx context.Context, from state, to json.RawMessage, m marks) (*operation, error) {
	n, err := strconv.Atoi(string(to))
	if err != nil {
		return nil, remediators.Terminal("azure: %s: the number that it is to have, %q: %w", s, to, err)
	}
	r, err := s.fleet.change(s.at, from, n, m)
	if err != nil {
		return nil, remediators.Terminal("azure: %s: %w", s, err)
	}
	r.ifMatch = from.ETag
	return s.at.begin(ctx, r)
}

// of completes the state of what has so many instances.
func (f fleetState) of(what, provisioning string, keep any) (fleetState, error) {
	kept, err := json.Marshal(keep)
	if err != nil {
		return f, remediators.Terminal("azure: %s does not encode: %w", what, err)
	}
	if f.ETag == "" {
		// Without it Azure would accept the change whatever was there.
		return f, remediators.Retryable(0, "azure: %s: the answer has no ETag", what)
	}
	f.Value, f.Keep = json.RawMessage(strconv.Itoa(f.count)), kept
	switch provisioning {
	case succeeded:
	case "Failed", "Canceled":
		f.failed = provisioning
	default:
		f.busy = provisioning
	}
	return f, nil
}

// tagged adds marks to tags that are kept.
func tagged(keep json.RawMessage, m marks) (map[string]string, error) {
	tags := map[string]string{}
	if err := json.Unmarshal(keep, &tags); err != nil {
		return nil, errors.Join(errors.New("its tags"), err)
	}
	if tags == nil {
		tags = map[string]string{}
	}
	tags[markKey] = m.text()
	return tags, nil
}
