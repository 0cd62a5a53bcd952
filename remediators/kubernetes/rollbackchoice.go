package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// LeftAnnotation holds the rollouts that rollbacks have ended, a JSON array, latest
// first, each as [RolloutState.Rollout].
const LeftAnnotation = "paramedic.dev/rolled-back-from"

// maxLeft bounds them; a history has ten entries unless configured.
const maxLeft = 20

// left are the rollouts that rollbacks have ended.
type left []string

// leftOf reads an object's annotation. Somebody may have edited it, so what does not
// decode counts as absent.
func leftOf(w *workload) left {
	var all left
	if err := json.Unmarshal([]byte(w.meta.Annotations[LeftAnnotation]), &all); err != nil {
		return nil
	}
	return all
}

func (l left) with(more left) left {
	all := append(slices.Clone(more), l.without(more)...)
	return all[:min(len(all), maxLeft)]
}

func (l left) without(those left) left {
	return slices.DeleteFunc(slices.Clone(l), func(s string) bool { return slices.Contains(those, s) })
}

func (l left) annotations() map[string]any {
	if len(l) == 0 {
		return map[string]any{LeftAnnotation: nil}
	}
	text, err := json.Marshal([]string(l))
	if err != nil {
		// A slice of strings always encodes.
		panic("kubernetes: rollouts do not encode: " + err.Error())
	}
	return map[string]any{LeftAnnotation: string(text)}
}

// rollbackParams are those of [Rollback]; rollbackSchema says the same to editors
// and the linter. Zero is absent.
type rollbackParams struct {
	To   revisionNumber `json:"revision"`
	From revisionNumber `json:"from"`
}

const rollbackSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "revision": {"$ref": "#/$defs/number", "description": "To go back to, as kubectl rollout history shows it; by default the latest one before that no rollback has left."},
    "from": {"$ref": "#/$defs/number", "description": "Only if this is the revision that is rolled out: so that a fix that came in the meantime stays. An alert of a rollout has it as its label revision."}
  },
  "$defs": {
    "number": {"oneOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"}]}
  }
}`

// revisionNumber is a number, or the same as text, as a label has it.
type revisionNumber int64

// UnmarshalJSON implements [json.Unmarshaler].
func (n *revisionNumber) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < 1 || strconv.FormatInt(v, 10) != text {
		return fmt.Errorf("a revision is %s; want a number of at least 1", b)
	}
	*n = revisionNumber(v)
	return nil
}

func rollbackParamsOf(t engine.Task) (rollbackParams, error) {
	var p rollbackParams
	if err := decodeParams(t, &p); err != nil {
		return p, err
	}
	if p.To != 0 && p.To == p.From {
		return p, remediators.Terminal("task %s: parameters of %s: revision and from are both %d", t.ID, t.Action, p.To)
	}
	return p, nil
}

// currentOf is the revision that the workload's template is of: the last one, once
// the controller has taken the template up.
func currentOf(w *workload, all []revision) (revision, error) {
	notYet := remediators.Retryable(0, "%s cannot be rolled back yet: its controller has not taken its latest spec up", w)
	if !w.health.seen || len(all) == 0 {
		return revision{}, notYet
	}
	last := all[len(all)-1]
	if w.kind != kindDeployment {
		return last, nil
	}
	// Of a Deployment the controller may have seen a template without counting it.
	pods, err := last.pods()
	if err != nil {
		return last, err
	}
	counted, errCounted := templateOf(pods)
	wanted, errWanted := templateOf(w.pods)
	if err := errors.Join(errCounted, errWanted); err != nil {
		return last, err
	}
	if counted != wanted || w.meta.Annotations[revisionAnnotation] != strconv.FormatInt(last.number, 10) {
		return last, notYet
	}
	return last, nil
}

// choice is the revision to go back to, and what there is to say about it.
type choice struct {
	to  revision
	why string
	// kin are the present revision and those that only a restart tells from it: all
	// are left together.
	kin []revision
}

// choose picks one of the earlier revisions, which are sorted.
func (p rollbackParams) choose(w *workload, earlier []revision, from revision) (choice, error) {
	refuse := func(format string, args ...any) (choice, error) {
		return choice{}, remediators.Terminal("%s is not rolled back: "+format, append([]any{w}, args...)...)
	}
	kin, others, err := kinOf(from, earlier)
	switch {
	case err != nil:
		return choice{}, err
	case p.From != 0 && int64(p.From) != from.number:
		return refuse("revision %d is rolled out, not %d", from.number, p.From)
	case int64(p.To) == from.number:
		return refuse("revision %d is the one that is rolled out", p.To)
	case len(earlier) == 0:
		return refuse("there is no revision before %d", from.number)
	}
	is := func(r revision) bool { return r.number == int64(p.To) }
	if p.To != 0 {
		switch i := slices.IndexFunc(others, is); {
		case slices.ContainsFunc(kin, is):
			return refuse("revision %d has the same template as revision %d, but for restarts", p.To, from.number)
		case i < 0:
			return refuse("there is no revision %d; there are %s", p.To, numbers(earlier))
		default:
			return choice{to: others[i], kin: kin}, nil
		}
	}
	if len(others) == 0 {
		return refuse("there is no revision before %d with another template: restarts made %s", from.number, numbers(earlier))
	}
	bad := leftOf(w)
	var passed []revision
	for _, r := range slices.Backward(others) {
		if slices.Contains(bad, r.rollout()) {
			passed = append(passed, r)
			continue
		}
		made := choice{to: r, kin: kin}
		if len(passed) > 0 {
			slices.Reverse(passed)
			made.why = fmt.Sprintf(", not to %s, which a rollback has left", numbers(passed))
		}
		return made, nil
	}
	return refuse("a rollback has left every revision before %d; name one by revision if it is to be rolled out again: %s", from.number, numbers(others))
}

// kinOf parts the revisions: those with the template of one, but for restarts, with
// itself, and the others.
func kinOf(one revision, earlier []revision) (kin, others []revision, err error) {
	essence, err := one.essence()
	if err != nil {
		return nil, nil, err
	}
	kin = []revision{one}
	for _, r := range earlier {
		switch other, err := r.essence(); {
		case err != nil:
			return nil, nil, err
		case other == essence:
			kin = append(kin, r)
		default:
			others = append(others, r)
		}
	}
	return kin, others, nil
}

func numbers(all []revision) string {
	var texts []string
	for _, r := range all {
		texts = append(texts, strconv.FormatInt(r.number, 10))
	}
	return strings.Join(texts, ", ")
}
