package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Cleanup deletes public IP addresses or managed disks of a resource group that nothing
// has used for a while. The target is the resource group.
//
// The plan lists exactly what is deleted, by id; nothing that comes later is added. Each
// is looked at again right before: it must be the same one, still unused, and for long
// enough. Azure itself refuses to delete what is in use. What bears the tag
// paramedic-keep stays, and so does what does not tell since when it is unused: Azure
// does of disks; of public IPs the tag paramedic-unused-since must.
type Cleanup struct{ accounts Accounts }

// NewCleanup makes the action.
func NewCleanup(accounts Accounts) *Cleanup { return &Cleanup{accounts} }

const kindGroup = "Microsoft.Resources/resourceGroups"

// keepTag, with any value, keeps a resource from ever being deleted here.
const keepTag = "paramedic-keep"

const (
	leastGrace = time.Hour
	mostLeft   = 50 // deletions of one task
)

// Spec implements [remediators.Remediator].
func (*Cleanup) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "azure.cleanup",
		System:  engine.SystemAzure,
		Summary: "Deletes public IP addresses or disks of an Azure resource group that nothing has used for a while, at most so many; nothing brings them back.",
		Params: json.RawMessage(`{
  "type": "object",
  "additionalProperties": false,
  "required": ["what", "olderThan", "max"],
  "properties": {
    "what": {"enum": ["public-ips", "disks"]},
    "olderThan": {"type": "string", "pattern": "^([0-9]+d|([0-9]+(\\.[0-9]+)?(h|m|s))+)$", "description": "For how long it must have been unused: 14d or 36h; at least 1h. Of disks Azure tells it; public IPs must have the tag paramedic-unused-since, with a time as 2026-03-17T04:05:06Z."},
    "max": {"type": "integer", "minimum": 1, "maximum": 50, "description": "Never more at once."}
  }
}`),
	}
}

type cleanupParams struct {
	What      string `json:"what"`
	OlderThan string `json:"olderThan"`
	Max       int    `json:"max"`

	kind  unusedKind
	grace time.Duration
}

func cleanupParamsOf(t engine.Task) (cleanupParams, error) {
	var p cleanupParams
	if err := decodeParams(t, &p); err != nil {
		return p, err
	}
	switch p.What {
	case "public-ips":
		p.kind = publicIPs{}
	case "disks":
		p.kind = disks{}
	default:
		return p, badParams(t, "what is %q: want public-ips or disks", p.What)
	}
	var err error
	if p.grace, err = days(p.OlderThan); err != nil || p.grace < leastGrace {
		return p, badParams(t, "olderThan is %q: want a duration such as 14d or 36h, of at least %v", p.OlderThan, leastGrace)
	}
	if p.Max < 1 || p.Max > mostLeft {
		return p, badParams(t, "max is %d: want 1 to %d", p.Max, mostLeft)
	}
	return p, nil
}

// days reads a duration as Go does, or whole days, as 14d.
func days(text string) (time.Duration, error) {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		hours, err := time.ParseDuration(n + "h")
		if hours > 100*365*time.Hour {
			return 0, errors.New("more than a century")
		}
		return 24 * hours, err
	}
	return time.ParseDuration(text)
}

// unusedKind is a kind of resource that can be left over.
type unusedKind interface {
	kind() string
	version() string
	// list reads those of a resource group; the error is classified.
	list(ctx context.Context, group place) ([]leftover, error)
	// one reads a single one anew.
	one(ctx context.Context, at place) (leftover, error)
}

// leftover is a resource that may be one.
type leftover struct {
	// ID is the resource's, in Azure's spelling, and Unique what another one of the same
	// name would not have.
	ID     string `json:"id"`
	Unique string `json:"unique"`

	tags map[string]string
	used bool
	// since is when it was last used or made; zero if Azure does not tell.
	since time.Time
}

// isLeft reports whether nothing has used it for so long.
func (l leftover) isLeft(grace time.Duration, now time.Time) bool {
	for key := range l.tags {
		if strings.EqualFold(key, keepTag) {
			return false
		}
	}
	return !l.used && l.Unique != "" && !l.since.IsZero() && now.Sub(l.since) >= grace
}

func (l leftover) name() string { return l.ID[strings.LastIndex(l.ID, "/")+1:] }

// leftovers is the precondition of this action's plans.
type leftovers struct {
	Left []leftover `json:"left"`
}

// Plan implements [remediators.Remediator].
func (c *Cleanup) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	params, err := cleanupParamsOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	at, err := c.accounts.at(t.Target, kindGroup)
	if err != nil {
		return engine.Plan{}, err
	}
	all, err := params.kind.list(ctx, at)
	if err != nil {
		return engine.Plan{}, err
	}
	now := at.now()
	left := slices.DeleteFunc(all, func(l leftover) bool { return !l.isLeft(params.grace, now) })
	slices.SortFunc(left, func(a, b leftover) int { return strings.Compare(a.ID, b.ID) })
	p := engine.Plan{Target: at.target()}
	if len(left) == 0 {
		p.Noop, p.Summary = true, fmt.Sprintf("none of the %s of %s has been unused for %s", params.What, at, params.OlderThan)
		return p, nil
	}
	found := len(left)
	left = left[:min(found, params.Max)]
	p.Summary = fmt.Sprintf("delete %d of the %s of %s, unused for %s", len(left), params.What, at, params.OlderThan)
	if found > len(left) {
		p.Summary += ", and leave more of them, for max is " + strconv.Itoa(params.Max)
	}
	for _, l := range left {
		p.Changes = append(p.Changes, engine.Change{Field: l.ID, From: "unused since " + l.since.UTC().Format(time.RFC3339), To: "deleted"})
	}
	if p.Precondition, err = json.Marshal(leftovers{left}); err != nil {
		return engine.Plan{}, remediators.Terminal("plan for %s does not encode: %w", p.Target, err)
	}
	return p, nil
}

// Execute implements [remediators.Remediator]. Once something is deleted, a failure of
// the rest leaves an outcome that is in part.
func (c *Cleanup) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	params, group, plan, err := c.found(t, p)
	if err != nil {
		return engine.Outcome{}, err
	}
	var deleted, spared []string
	for i, l := range plan.Left {
		gone, err := c.delete(ctx, t, group, params, l, i == len(plan.Left)-1)
		switch {
		case err != nil && len(deleted) > 0:
			return engine.Outcome{}, remediators.UnknownOutcome("deleted %s; then: %w", strings.Join(deleted, ", "), err)
		case err != nil:
			return engine.Outcome{}, err
		case gone:
			deleted = append(deleted, l.name())
		default:
			spared = append(spared, l.name())
		}
	}
	if len(deleted) == 0 {
		return engine.Outcome{}, remediators.PlanChanged("azure: none of the %s of %s is as it was planned any more", params.What, group)
	}
	o := engine.Outcome{Summary: fmt.Sprintf("deleted %d of the %s of %s: %s", len(deleted), params.What, group, strings.Join(deleted, ", "))}
	if len(spared) > 0 {
		o.Summary += "; spared, since they are not as they were: " + strings.Join(spared, ", ")
	}
	return o, nil
}

// found is what a plan is about.
func (c *Cleanup) found(t engine.Task, p engine.Plan) (cleanupParams, place, leftovers, error) {
	var plan leftovers
	params, err := cleanupParamsOf(t)
	if err != nil {
		return params, place{}, plan, err
	}
	group, err := c.accounts.at(p.Target, kindGroup)
	if err != nil {
		return params, group, plan, err
	}
	if err := json.Unmarshal(p.Precondition, &plan); err != nil || len(plan.Left) == 0 || len(plan.Left) > params.Max {
		return params, group, plan, remediators.Terminal("plan for %s: precondition %q names nothing, or too much, to delete", p.Target, p.Precondition)
	}
	return params, group, plan, nil
}

// delete deletes one, if it still is as it was; last says that no other comes behind it.
func (c *Cleanup) delete(ctx context.Context, t engine.Task, group place, params cleanupParams, l leftover, last bool) (bool, error) {
	at, err := c.accounts.at(engine.Target{System: engine.SystemAzure, Account: group.name, Name: l.ID}, params.kind.kind())
	if err != nil {
		return false, err
	}
	if !strings.EqualFold(at.id.ResourceGroupName, group.id.ResourceGroupName) {
		return false, remediators.Terminal("azure: %s is in another resource group than %s", l.ID, group)
	}
	now, err := params.kind.one(ctx, at)
	switch {
	case errors.Is(err, errNotFound):
		return false, nil
	case err != nil:
		return false, err
	case now.Unique != l.Unique || !now.isLeft(params.grace, at.now()):
		return false, nil
	}
	changing, sent := once(ctx, t.ID)
	what := params.kind.kind() + " " + at.String()
	op, err := at.begin(changing, request{method: http.MethodDelete, path: at.path(params.kind.kind()), version: params.kind.version()})
	if err != nil {
		return false, at.changeFailed(what, sent.Load(), err)
	}
	if !last {
		// Seeing this one end would not tell what became of those behind it.
		ctx = remediators.WithKeeper(ctx, func(json.RawMessage) error { return nil })
	}
	return true, at.follow(ctx, what, op)
}

// Observe implements [remediators.Remediator]. Only the last deletion is followed: that
// it was accepted says that all before it have ended.
func (c *Cleanup) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	_, group, _, err := c.found(t, p)
	if err != nil {
		return engine.Unknown, err
	}
	if checkpoint := remediators.CheckpointOf(ctx); checkpoint != nil {
		return group.resumed(ctx, "the last deletion in "+group.String(), checkpoint)
	}
	return engine.Unknown, nil
}
