package remediatortest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// watched passes calls on and searches all that comes back.
type watched struct {
	t       *testing.T
	inner   remediators.Remediator
	secrets []string
}

func (w watched) plan(ctx context.Context, task engine.Task) (engine.Plan, error) {
	w.t.Helper()
	p, err := w.inner.Plan(ctx, task)
	w.look("Plan", p, err)
	return p, err
}

func (w watched) execute(ctx context.Context, task engine.Task, p engine.Plan) (engine.Outcome, error) {
	w.t.Helper()
	o, err := w.inner.Execute(ctx, task, p)
	w.look("Execute", o, err)
	return o, err
}

func (w watched) observe(ctx context.Context, task engine.Task, p engine.Plan) engine.Effect {
	w.t.Helper()
	effect, err := w.inner.Observe(ctx, task, p)
	w.look("Observe", effect, err)
	if err != nil {
		w.t.Fatalf("Observe: %v", err)
	}
	return effect
}

func (w watched) undo(ctx context.Context, undoer remediators.Undoer, task engine.Task) error {
	w.t.Helper()
	err := undoer.Undo(ctx, task, *task.Outcome)
	w.look("Undo", nil, err)
	return err
}

// look checks what every call's result must be. It is called from several
// goroutines, so it does not end the test.
func (w watched) look(call string, result any, err error) {
	w.t.Helper()
	text, encodeErr := json.Marshal(result)
	if encodeErr != nil {
		w.t.Errorf("%s: the result does not encode: %v", call, encodeErr)
	}
	said := string(text)
	if err != nil {
		said += err.Error()
		if _, ok := errors.AsType[*remediators.Error](err); !ok {
			w.t.Errorf("%s: error %q (%T) is not classified by package remediators", call, err, err)
		}
	}
	for _, s := range w.secrets {
		if strings.Contains(said, s) {
			w.t.Errorf("%s says the secret %q: %s", call, s, said)
		}
	}
}
