package rules_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
)

// A set may be used by many at once, and gives each its own answer.
func TestSetIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	set := one(t, `'alertname="A"'`, `alert.labels.exists(l, alert.labels[l] == "A")`, `"${alert.labels.job}"`)
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for i := range 50 {
				job := fmt.Sprintf("job-%d-%d", worker, i)
				got := set.Match(firing(map[string]string{"alertname": "A", "job": job}), now)
				if len(got) != 1 || got[0].Target.Name != job {
					t.Errorf("%+v, want the target %s", got, job)
					return
				}
				if _, err := got[0].Rule.Attempts[0].Do[0].Params(engine.Scope{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
}
