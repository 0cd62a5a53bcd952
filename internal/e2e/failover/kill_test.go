package failover_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab/azure"
)

const failover = "region-failover"

// moment is when Paramedic is killed in a step, and what becomes of the change then.
type moment string

const (
	// lost is killed before the target has made the change, which it never makes; late is the same, and it does
	// nonetheless, once Paramedic is dead.
	lost moment = "before, and the change is lost"
	late moment = "before, and the change is made after all"
	// unanswered is killed when the change is made, before it is answered, and answered right after the answer was sent.
	unanswered moment = "made, and not answered"
	answered   moment = "right after the answer"
	// followed is killed once it is kept that the change was accepted, while its end is waited for.
	followed moment = "accepted, and followed"
)

// moments are those of a step. The endpoint and the record are changed by their answers, and not followed.
func moments(s step) []moment {
	if s == cosmos || s == promote {
		return []moment{lost, late, unanswered, answered, followed}
	}
	return []moment{lost, late, unanswered, answered}
}

// fault is what happens to the change at the moment.
func (m moment) fault(do func()) azure.Fault {
	switch m {
	case lost:
		return azure.Fault{At: azure.Arrived, Do: do, Cut: true}
	case late:
		return azure.Fault{At: azure.Arrived, Do: do}
	case unanswered:
		return azure.Fault{At: azure.Applied, Do: do}
	case followed:
		return azure.Fault{At: azure.Followed, Do: do}
	case answered:
	}
	return azure.Fault{At: azure.Answered, Do: do}
}

// scenario is one failover with one kill in it, or none.
type scenario struct {
	name string
	// within is how long the failover has to show.
	within string
	// prepare sets the stage; kill ends Paramedic, and it is started again.
	prepare func(w *world, kill func())
	// kills says that a kill is made, and asking that it is made while people are asked.
	kills, asking bool
	// ends are those that there may be.
	ends []string
}

// next has a fault happen to a step's next change.
func (w *world) next(s step, f azure.Fault) {
	switch s {
	case promote:
		w.relay.next(f)
	case endpoint:
		w.cloud.Next(azure.EndpointChange, f)
	case cosmos:
		w.cloud.Next(azure.FailoverChange, f)
	case record:
		w.cloud.Next(azure.RecordChange, f)
	}
}

// write is what the services do in Japan once that is the primary.
func (w *world) write() {
	admin := goredis.NewClient(&goredis.Options{Addr: w.standby.Address(), Protocol: 2, DisableIdentity: true})
	_ = errors.Join(admin.Set(context.Background(), "place:2", "Tokyo", 0).Err(), admin.Close()) // without it, the end is another one
}

// scenarios are all kills in all steps, on the way and on the way back, and what needs no step.
func scenarios() []scenario {
	all := []scenario{
		{name: "no kill", within: "2m", ends: []string{finished}},
		{name: "no kill, and the data are not there", within: "3s", ends: []string{undone}, prepare: func(w *world, _ func()) { w.japan.places.Store(12) }},
		// What was written to the new primary would be lost: that is left, and the rest of the way back is for people.
		{name: "no kill, the data are not there, and Japan's Redis is written to", within: "3s", ends: []string{asked}, prepare: func(w *world, _ func()) {
			w.japan.places.Store(12)
			w.cloud.Next(azure.RecordChange, azure.Fault{At: azure.Answered, Do: w.write})
		}},
		{name: "killed while people are asked", within: "2m", kills: true, asking: true, ends: []string{finished}},
		{name: "killed while it is seen whether it helped", within: "2m", kills: true, ends: []string{finished}, prepare: func(w *world, kill func()) {
			w.cloud.Next(azure.RecordChange, azure.Fault{At: azure.Applied, Do: func() { w.japan.asked.Store(&kill) }})
		}},
		{name: "killed in the first step, and Azure's log tells at once", within: "2m", kills: true, ends: []string{finished}, prepare: func(w *world, kill func()) {
			w.cloud.PromptLog()
			w.next(endpoint, unanswered.fault(kill))
		}},
	}
	// What Azure refuses for now is tried again; what it does not answer well, nobody knows.
	for _, r := range []struct {
		name  string
		at    step
		fault azure.Fault
		end   string
	}{
		{"a conflict", cosmos, azure.Fault{Status: http.StatusConflict, Code: "Conflict"}, finished},
		{"throttled", endpoint, azure.Fault{Status: http.StatusTooManyRequests, Code: "TooManyRequests", RetryAfter: time.Second}, finished},
		{"a record that is written to in between", record, azure.Fault{Status: http.StatusPreconditionFailed, Code: "PreconditionFailed"}, finished},
		{"an error of Azure's", cosmos, azure.Fault{Status: http.StatusServiceUnavailable, Code: "ServerBusy"}, parked},
		{"a connection that is cut before", endpoint, azure.Fault{At: azure.Arrived, Cut: true}, parked},
		{"a connection that is cut after it", endpoint, azure.Fault{At: azure.Applied, Cut: true}, parked},
		{"a refusal", cosmos, azure.Fault{Status: http.StatusForbidden, Code: "AuthorizationFailed"}, undone},
	} {
		all = append(all, scenario{name: "no kill, but " + r.name, within: "2m", ends: []string{r.end}, prepare: func(w *world, _ func()) { w.next(r.at, r.fault) }})
	}
	for _, s := range steps() {
		for _, m := range moments(s) {
			all = append(all, scenario{
				name: fmt.Sprintf("killed in the step %s, %s", s, m), within: "2m", kills: true, ends: endsOf(s, m),
				prepare: func(w *world, kill func()) { w.next(s, m.fault(kill)) },
			})
		}
		all = append(all, scenario{
			name: fmt.Sprintf("killed when the step %s is put back", s), within: "3s", kills: true, ends: []string{undone},
			prepare: func(w *world, kill func()) {
				w.japan.places.Store(12)
				w.next(s, azure.Fault{})
				w.next(s, unanswered.fault(kill))
			},
		})
	}
	return all
}

// endsOf are the ends that a kill in a step may have. A DNS record tells who wrote it, and refuses what is late: there it
// goes on in any case. Of the rest nobody knows until the answer is kept.
func endsOf(s step, m moment) []string {
	switch {
	case s == record, m == followed:
		return []string{finished}
	case m == answered:
		return []string{finished, parked}
	}
	return []string{parked}
}

// killedAtEachStep is described in the package's comment.
func (p program) killedAtEachStep(t *testing.T) {
	t.Parallel()
	rules := libraryRules(t)
	root := t.TempDir()
	// As many kills as scenarios wait for a call that may go on, so they run side by side; a test that is parallel would
	// wait for its turn among as many as there are processors.
	type result struct {
		end  string
		logs []string
		err  error
	}
	results := map[string]chan result{}
	all := scenarios()
	gate := make(chan struct{}, sideBySide)
	for i, s := range all {
		done := make(chan result, 1)
		results[s.name] = done
		folder := filepath.Join(root, strconv.Itoa(i))
		go func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			end, logs, err := s.play(t.Context(), folder, string(p), rules)
			done <- result{end, logs, err}
		}()
	}
	ends := map[string]int{}
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			r := <-results[s.name]
			if ends[r.end]++; r.err != nil {
				t.Errorf("%s: %v\n--- paramedic's logs, a life each ---\n%s", r.end, r.err, strings.Join(r.logs, "\n---\n"))
			}
			t.Log(r.end)
		})
	}
	t.Log(ends)
}

// sideBySide is how many scenarios run at once. They wait for the most part.
const sideBySide = 14

// scenarioWithin bounds one.
const scenarioWithin = 2 * time.Minute

// play runs a scenario from an empty folder to the verdict.
func (s scenario) play(ctx context.Context, folder, program, rules string) (end string, logs []string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, scenarioWithin, fmt.Errorf("not over within %v", scenarioWithin))
	defer cancel()
	if err := os.Mkdir(folder, 0o700); err != nil {
		return "", nil, err
	}
	w, err := newWorld(ctx, folder, program)
	if err != nil {
		return "", nil, err
	}
	defer func() { err, logs = errors.Join(err, w.close()), w.logs }()
	if w.rules, err = fitted(rules, slices.Concat(hours(s.within), w.addresses("default"))...); err != nil {
		return "", nil, err
	}
	dead := make(chan error, 8)
	kill := func() { dead <- w.kill() }
	if err := w.start(ctx); err != nil {
		return "", nil, err
	}
	if s.prepare != nil {
		s.prepare(w, kill)
	}
	revived := make(chan error, 1)
	go func() { revived <- w.revive(ctx, s.kills, dead) }()
	w.korea.sick.Store(true)
	e, err := s.drive(ctx, w, kill, revived)
	if err != nil {
		return "", nil, err
	}
	end, broken := judge(e)
	if !slices.Contains(s.ends, end) {
		broken = append(broken, fmt.Sprintf("it is %s (%s), want one of %v", end, e.Why, s.ends))
	}
	if len(broken) > 0 {
		return end, nil, fmt.Errorf("%s\n%+v", strings.Join(broken, "\n"), e)
	}
	return end, nil, nil
}

// revive starts Paramedic again once it was killed, if it is to be.
func (w *world) revive(ctx context.Context, kills bool, dead <-chan error) error {
	if !kills {
		return nil
	}
	select {
	case err := <-dead:
		return errors.Join(err, w.start(ctx))
	case <-ctx.Done():
		return fmt.Errorf("it was never killed: %w", context.Cause(ctx))
	}
}

// drive has people agree, waits until the run is at rest and people know, and collects what is to be seen.
func (s scenario) drive(ctx context.Context, w *world, kill func(), revived <-chan error) (evidence, error) {
	var agreed error
	if s.asking {
		if _, err := w.reaches(ctx, failover, engine.PhaseApproval); err != nil {
			return evidence{}, err
		}
		kill()
	} else {
		agreed = w.agree(ctx, failover) // the answer to which a kill may cut off
	}
	if err := <-revived; err != nil {
		return evidence{}, errors.Join(agreed, err)
	}
	if s.asking {
		agreed = w.agree(ctx, failover)
	}
	r, err := w.reaches(ctx, failover, engine.PhaseEnded, engine.PhaseParked)
	if err != nil {
		return evidence{}, errors.Join(agreed, err)
	}
	// People are told by another process's part, which comes up after a kill when it finds that nobody else does it.
	known := eventually(ctx, func() error {
		if told := w.phone.of(r.ID); told["cured"]+told["escalated"] == 0 {
			return fmt.Errorf("run %s is %s %s, and people know only %v", r.ID, r.Phase, r.Outcome, slices.Sorted(maps.Keys(told)))
		}
		return nil
	})
	e, err := w.collect(ctx, r)
	return e, errors.Join(known, err)
}
