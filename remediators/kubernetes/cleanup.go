package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Cleanup deletes what a namespace has left over and nothing has used for a while:
// PersistentVolumes whose claim is gone, or Services with a load balancer and nothing
// behind it. The target is the namespace, which for volumes is that of their former
// claims and may be gone with them.
//
// The plan lists exactly what is deleted; nothing that comes later is added, and where
// there is more than max nothing is deleted at all. Each is looked at again right before
// and deleted by its uid and the version of that look. What bears the annotation
// [KeepAnnotation] stays, and so does what does not tell since when it is unused.
//
// It may be done again: what is gone is gone, and a uid never comes back.
type Cleanup struct {
	clusters Clusters
	now      func() time.Time
}

// NewCleanup makes the action. The time that now returns is what ages are counted to.
func NewCleanup(clusters Clusters, now func() time.Time) *Cleanup {
	return &Cleanup{clusters: clusters, now: now}
}

// KeepAnnotation is one that, with the value true, keeps an object from ever being
// deleted by [Cleanup].
const KeepAnnotation = "paramedic.dev/keep"

const (
	leastGrace   = time.Hour
	defaultGrace = "168h"
	mostLeft     = 50 // deletions of one task
)

// Spec implements [remediators.Remediator].
func (*Cleanup) Spec() remediators.Spec {
	return remediators.Spec{
		Name:       "kubernetes.cleanup",
		System:     engine.SystemKubernetes,
		Summary:    "Deletes released PersistentVolumes, or Services of type LoadBalancer without endpoints, of a namespace that nothing has used for a while, at most so many; nothing brings them back.",
		Params:     json.RawMessage(cleanupSchema),
		Idempotent: true,
	}
}

const cleanupSchema = `{
  "type": "object",
  "additionalProperties": false,
  "required": ["what", "max"],
  "properties": {
    "what": {"enum": ["volumes", "load-balancers"]},
    "olderThan": {"type": "string", "pattern": "^([0-9]+d|([0-9]+(\\.[0-9]+)?(h|m|s))+)$", "default": "168h", "description": "For how long it must have been unused: 14d or 36h; at least 1h."},
    "max": {"type": "integer", "minimum": 1, "maximum": 50, "description": "Where there are more, nothing is deleted."}
  }
}`

type cleanupParams struct {
	What      string  `json:"what"`
	OlderThan *string `json:"olderThan"`
	Max       int     `json:"max"`

	kind  unusedKind
	text  string
	grace time.Duration
}

func cleanupParamsOf(t engine.Task) (cleanupParams, error) {
	p := cleanupParams{text: defaultGrace}
	if _, err := wholeParams(t, &p); err != nil {
		return p, err
	}
	switch p.What {
	case "volumes":
		p.kind = unusedVolumes{}
	case "load-balancers":
		p.kind = unusedBalancers{}
	default:
		return p, badParams(t, "what is %q: want volumes or load-balancers", p.What)
	}
	if p.OlderThan != nil {
		p.text = *p.OlderThan
	}
	var err error
	if p.grace, err = days(p.text); err != nil || p.grace < leastGrace {
		return p, badParams(t, "olderThan is %q: want a duration such as 14d or 36h, of at least %v", p.text, leastGrace)
	}
	if p.Max < 1 || p.Max > mostLeft {
		return p, badParams(t, "max is %d: want 1 to %d", p.Max, mostLeft)
	}
	return p, nil
}

// days reads a duration as Go does, or whole days, as 14d.
func days(text string) (time.Duration, error) {
	n, ok := strings.CutSuffix(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	count, err := strconv.ParseUint(n, 10, 16)
	if err == nil && count > 100*365 {
		err = errors.New("more than a century")
	}
	return time.Duration(count) * 24 * time.Hour, err
}

// Rules is what it needs to be allowed.
func (*Cleanup) Rules() []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		may([]string{"get", "list", "delete"}, kindVolume, kindService),
		may([]string{"get"}, kindNamespace),
		may([]string{"list"}, kindEndpointSlice),
	}
}

// Plan implements [remediators.Remediator].
func (c *Cleanup) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	params, client, err := c.at(t, t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	all, err := params.kind.list(ctx, client, t.Target)
	if err != nil {
		return engine.Plan{}, err
	}
	if len(all) == 0 {
		// A namespace that is misspelt must not look as if all were in order.
		var namespace corev1.Namespace
		if err := client.get(ctx, kindNamespace, "", t.Target.Name, &namespace); err != nil {
			return engine.Plan{}, err
		}
	}
	left := slices.DeleteFunc(all, func(l leftover) bool { return !l.isLeft(params.grace, c.now()) })
	p, err := planCleanup(t.Target, params, left)
	if err != nil {
		return engine.Plan{}, err
	}
	for _, l := range left {
		if err := client.rehearseRemoval(ctx, params.kind.kind(), params.kind.in(t.Target), l); err != nil {
			return engine.Plan{}, err
		}
	}
	return p, nil
}

func planCleanup(at engine.Target, params cleanupParams, left []leftover) (engine.Plan, error) {
	slices.SortFunc(left, func(a, b leftover) int { return strings.Compare(a.Name, b.Name) })
	p := engine.Plan{Target: at}
	where := fmt.Sprintf("namespace %s in %s", at.Name, at.Cluster)
	switch {
	case len(left) == 0:
		p.Noop, p.Summary = true, fmt.Sprintf("none of the %s of %s has been unused for %s", params.What, where, params.text)
		return p, nil
	case len(left) > params.Max:
		return engine.Plan{}, remediators.Terminal("%d of the %s of %s have been unused for %s, and max is %d, so none is deleted; look at them, as %s",
			len(left), params.What, where, params.text, params.Max, left[0].Name)
	}
	p.Summary = fmt.Sprintf("delete %d of the %s of %s, unused for %s", len(left), params.What, where, params.text)
	for _, l := range left {
		p.Changes = append(p.Changes, engine.Change{
			Field: params.kind.kind() + " " + l.Name, To: "deleted",
			From: fmt.Sprintf("%sunused since %s (uid %s)", l.about, l.since.UTC().Format(time.RFC3339), l.UID),
		})
	}
	var err error
	if p.Precondition, err = encode(leftovers{left}); err != nil {
		return engine.Plan{}, err
	}
	return p, nil
}

// at reads what a task is about.
func (c *Cleanup) at(t engine.Task, at engine.Target) (cleanupParams, *Client, error) {
	params, err := cleanupParamsOf(t)
	if err != nil {
		return params, nil, err
	}
	client, err := c.clusters.client(at)
	if err == nil && at.Kind != kindNamespace {
		err = remediators.Terminal("target %q: kind is %s, want %s", at, at.Kind, kindNamespace)
	}
	return params, client, err
}

// Execute implements [remediators.Remediator]. It returns when the API server has
// accepted the deletions; what finalizers have to do first, as to give a load balancer
// back, they do in their own time. Once something is deleted, a failure of the rest
// leaves an outcome that is in part.
func (c *Cleanup) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	params, client, err := c.at(t, p.Target)
	if err != nil {
		return engine.Outcome{}, err
	}
	plan, err := decodeLeftovers(p, params.Max)
	if err != nil {
		return engine.Outcome{}, err
	}
	became := map[fate][]string{}
	for _, l := range plan.Left {
		f, err := c.delete(ctx, client, p.Target, params, l)
		if err != nil {
			if deleted := became[fateDeleted]; len(deleted) > 0 {
				return engine.Outcome{}, remediators.UnknownOutcome("deleted %s; then: %w", strings.Join(deleted, ", "), err)
			}
			return engine.Outcome{}, err
		}
		became[f] = append(became[f], l.Name)
	}
	if len(became[fateSpared]) == len(plan.Left) {
		return engine.Outcome{}, remediators.PlanChanged("none of the %s of %s is as it was planned any more", params.What, p.Target)
	}
	o := engine.Outcome{Summary: fmt.Sprintf("deleted %d of the %s of namespace %s in %s", len(became[fateDeleted]), params.What, p.Target.Name, p.Target.Cluster)}
	for _, told := range []struct {
		of   fate
		text string
	}{{fateDeleted, ": "}, {fateGone, "; gone already: "}, {fateSpared, "; spared, since they are not as they were: "}} {
		if names := became[told.of]; len(names) > 0 {
			o.Summary += told.text + strings.Join(names, ", ")
		}
	}
	return o, nil
}

// Observe implements [remediators.Remediator]. What is gone does not tell who deleted it.
func (c *Cleanup) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	params, client, err := c.at(t, p.Target)
	if err != nil {
		return engine.Unknown, err
	}
	plan, err := decodeLeftovers(p, params.Max)
	if err != nil {
		return engine.Unknown, err
	}
	for _, l := range plan.Left {
		now, err := params.kind.one(ctx, client, p.Target, l.Name)
		switch {
		case notFound(err), err == nil && (now.UID != l.UID || now.deleted):
			return engine.Unknown, nil
		case err != nil:
			return engine.Unknown, err
		}
	}
	return engine.NotApplied, nil
}
