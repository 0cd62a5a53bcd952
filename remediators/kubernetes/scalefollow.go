package kubernetes

import (
	"context"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

const (
	// heedLimit is how long an autoscaler is waited for. Kubernetes' own looks every
	// 15 seconds, and KEDA writes that first.
	heedLimit = 40 * time.Second
	// heedSpare is what is left of the call's time for the answer.
	heedSpare = 3 * time.Second
)

// heeded waits until a workload has as many replicas as an autoscaler now keeps at
// least, and says so, for the outcome. That it has not yet is no failure: what was
// to be changed is changed, and whether it helps is for others to verify.
func (s *Scale) heeded(ctx context.Context, at engine.Target, made scaling) string {
	if !made.up() {
		return ""
	}
	client, err := s.clusters.client(at)
	if err != nil {
		return ""
	}
	if deadline, ok := ctx.Deadline(); ok {
		early, cancel := context.WithDeadline(ctx, deadline.Add(-heedSpare))
		defer cancel()
		ctx = early
	}
	ctx, cancel := context.WithTimeout(ctx, heedLimit)
	defer cancel()
	seen := "nobody could look how many there are"
	for {
		w, err := getWorkload(ctx, client, at.Kind, at.Namespace, at.Name)
		switch {
		case err != nil || w.replicas == nil: // the next look may succeed
		case *w.replicas >= made.to:
			return fmt.Sprintf("; %s has %d", w, *w.replicas)
		default:
			seen = fmt.Sprintf("%s had %d so far", w, *w.replicas)
		}
		if !pause(ctx, followEvery) {
			return "; " + seen
		}
	}
}
