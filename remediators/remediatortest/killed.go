package remediatortest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// killed ends a call as soon as it has kept what its change can be followed with:
// whoever finds that later learns how the change ended, and makes no other.
func (s *suite) killed(t *testing.T) {
	scene := s.bench.Fresh(t)
	task, p := s.planned(t, scene)
	ctx, kill := context.WithCancel(call(t))
	defer kill()
	var kept json.RawMessage
	_, err := s.watch(t).execute(remediators.WithKeeper(ctx, func(k json.RawMessage) error {
		kept = slices.Clone(k)
		kill()
		return nil
	}), task, p)
	wantEffects(t, scene, 1)
	if kept == nil { // the target makes it while it is asked
		if err != nil {
			t.Errorf("nothing was kept, and yet: %v", err)
		}
		return
	}
	wantClass(t, err, engine.ClassUnknown)
	for _, secret := range s.subject.Secrets {
		if strings.Contains(string(kept), secret) {
			t.Errorf("the checkpoint has the secret %q", secret)
		}
	}
	wantEffect(t, s.watch(t).observe(remediators.WithCheckpoint(call(t), kept), task, p), engine.Applied)
	wantEffects(t, scene, 1)
}
