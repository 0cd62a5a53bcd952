package failover_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab/azure"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/internal/web/api"
)

// step is one of the failover, in its order.
type step string

const (
	endpoint step = "endpoint"
	cosmos   step = "cosmos"
	promote  step = "redis"
	record   step = "dns"
)

func steps() []step { return []step{endpoint, cosmos, promote, record} }

// evidence is what is found from outside, once a run has come to rest.
type evidence struct {
	Phase   engine.Phase
	Outcome engine.RunFinal
	Why     string
	// Over are the steps whose target is as the failover makes it; the others are as they were before.
	Over map[step]bool
	// Changes is how often each target was changed.
	Changes map[step]int
	// Order is that in which Azure made its changes.
	Order []step
	// Told is how often people were told of the run, by kind.
	Told map[string]int
	// Strange are requests that Azure does not take, Broken why the ledger does not verify.
	Strange []string
	Broken  string
}

// The ends that there may be. Asked is one where something could not be put back, and people know what.
const (
	finished = "finished"
	undone   = "undone"
	parked   = "parked"
	asked    = "asked"
)

// judge says how it ended, and every promise that was broken.
func judge(e evidence) (end string, broken []string) {
	find := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	if e.Broken != "" {
		find("the ledger does not verify: %s", e.Broken)
	}
	for _, s := range e.Strange {
		find("Azure was asked for what it does not take: %s", s)
	}
	if !inOrder(e.Order) {
		find("it was not done in order and put back in reverse: %v", e.Order)
	}
	switch {
	case e.Phase == engine.PhaseEnded && e.Outcome == engine.Cured:
		end = finished
		for _, s := range steps() {
			if !e.Over[s] || e.Changes[s] != 1 {
				find("%s: cured, but it is over: %t, after %d changes", s, e.Over[s], e.Changes[s])
			}
		}
		if e.Told["cured"] == 0 {
			find("cured, and nobody was told: %v", e.Told)
		}
	case e.Phase == engine.PhaseEnded && e.Outcome == engine.Uncured && strings.Contains(e.Why, "not put back: "):
		end = asked
		for s, action := range map[step]string{
			endpoint: "azure.trafficmanager.endpoint", cosmos: "azure.cosmosdb.failover", promote: "redis.promote", record: "azure.dns.record",
		} {
			if _, left, _ := strings.Cut(e.Why, "not put back: "); e.Over[s] && !strings.Contains(left, action) {
				find("%s: it is over, and people were not told: %s", s, e.Why)
			}
		}
		if e.Told["escalated"] == 0 {
			find("not put back, and nobody was asked: %v", e.Told)
		}
	case e.Phase == engine.PhaseEnded && e.Outcome == engine.Uncured:
		end = undone
		for _, s := range steps() {
			if e.Over[s] || e.Changes[s] != 0 && e.Changes[s] != 2 {
				find("%s: put back, but it is over: %t, after %d changes", s, e.Over[s], e.Changes[s])
			}
		}
		if e.Told["escalated"] == 0 {
			find("not cured, and nobody was asked: %v", e.Told)
		}
	case e.Phase == engine.PhaseParked:
		end = parked
		for _, s := range steps() {
			if e.Changes[s] > 2 || e.Changes[s] == 1 != e.Over[s] {
				find("%s: parked, and it is over: %t, after %d changes", s, e.Over[s], e.Changes[s])
			}
		}
		if e.Told["escalated"] == 0 || e.Told["parked"] == 0 {
			find("parked, and nobody was asked: %v", e.Told)
		}
	default:
		find("half done: %s %s: %s", e.Phase, e.Outcome, e.Why)
	}
	return end, broken
}

// inOrder says that Azure's part was done in order, and what was put back of it in reverse.
func inOrder(made []step) bool {
	there, n := []step{endpoint, cosmos, record}, 0
	for n < min(len(made), len(there)) && made[n] == there[n] {
		n++
	}
	back := slices.Clone(there[:n])
	slices.Reverse(back)
	return len(made) <= 2*n && slices.Equal(made[n:], back[:len(made)-n])
}

// collect looks at the targets, and reads the ledger.
func (w *world) collect(ctx context.Context, r api.Run) (evidence, error) {
	info, err := infoOf(ctx, w.standby.Address())
	if err != nil {
		return evidence{}, err
	}
	e := evidence{
		Phase: r.Phase, Outcome: r.Outcome, Why: r.Why, Told: w.phone.of(r.ID), Strange: w.cloud.Refused(),
		Over: map[step]bool{
			endpoint: w.cloud.Endpoint(name, "korea").Status == "Disabled",
			cosmos:   slices.Equal(w.cloud.Regions(name), []string{japanEast, koreaEast}),
			promote:  info["role"] == "master",
			record:   slices.Equal(w.cloud.Addresses(zone, "api"), []string{japanese}),
		},
		Changes: map[step]int{
			endpoint: w.cloud.Effects(azure.EndpointChange), cosmos: w.cloud.Effects(azure.FailoverChange),
			promote: calls(info), record: w.cloud.Effects(azure.RecordChange),
		},
	}
	for _, c := range w.cloud.Changes() {
		if c.Made {
			e.Order = append(e.Order, map[azure.Kind]step{azure.EndpointChange: endpoint, azure.FailoverChange: cosmos, azure.RecordChange: record}[c.Kind])
		}
	}
	fold := ledger.NewFold()
	operator, err := w.api()
	if err != nil {
		return evidence{}, err
	}
	err = operator.Ledger(ctx, 1, func(seq uint64, data []byte) error {
		_, err := fold.Take(seq, data)
		return err
	})
	if err != nil || fold.Seq == 0 {
		e.Broken = fmt.Sprintf("at record %d: %v", fold.Seq, err)
	}
	return e, nil
}

// good is the evidence of a failover in which nothing went wrong.
func good() evidence {
	e := evidence{
		Phase: engine.PhaseEnded, Outcome: engine.Cured, Over: map[step]bool{}, Changes: map[step]int{},
		Told: map[string]int{"cured": 1},
	}
	for _, s := range steps() {
		e.Over[s], e.Changes[s] = true, 1
	}
	e.Order = []step{endpoint, cosmos, record}
	return e
}

// TestTheVerdict proves that what is half done, or silent, is found.
func TestTheVerdict(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		spoil func(*evidence)
		end   string
		fine  bool
	}{
		"all is well":                {func(*evidence) {}, finished, true},
		"a step that was not made":   {func(e *evidence) { e.Over[cosmos], e.Changes[cosmos] = false, 0 }, finished, false},
		"a step that was made twice": {func(e *evidence) { e.Changes[endpoint] = 2 }, finished, false},
		"in another order":           {func(e *evidence) { e.Order = []step{cosmos, endpoint, record} }, finished, false},
		"put back in that order": {func(e *evidence) {
			*e = back()
			e.Told, e.Order = map[string]int{"escalated": 1}, slices.Concat(e.Order[:3], e.Order[:3])
		}, undone, false},
		"put back as far as it came": {func(e *evidence) {
			*e = back()
			e.Told, e.Order = map[string]int{"escalated": 1}, []step{endpoint, cosmos, cosmos, endpoint}
		}, undone, true},
		"nobody is told":            {func(e *evidence) { e.Told = nil }, finished, false},
		"a ledger that is torn":     {func(e *evidence) { e.Broken = "at record 3" }, finished, false},
		"a request that is no good": {func(e *evidence) { e.Strange = []string{"GET /"} }, finished, false},
		"it stays where it is":      {func(e *evidence) { e.Phase = engine.PhaseExecuting }, "", false},
		"it gives up half way":      {func(e *evidence) { e.Outcome, e.Told = engine.Uncured, map[string]int{"escalated": 1} }, undone, false},
		"it is undone":              {func(e *evidence) { *e = back(); e.Told = map[string]int{"escalated": 1} }, undone, true},
		"it is undone in silence":   {func(e *evidence) { *e = back() }, undone, false},
		"it is parked in silence":   {func(e *evidence) { *e = halfWay() }, parked, false},
		"it is parked, and asks":    {func(e *evidence) { *e = halfWay(); e.Told = map[string]int{"escalated": 1, "parked": 1} }, parked, true},
		"parked, and then once more": {func(e *evidence) {
			*e = halfWay()
			e.Told = map[string]int{"escalated": 1, "parked": 1}
			e.Changes[endpoint] = 3
		}, parked, false},
		"what is left, is told":     {func(e *evidence) { *e = left("not put back: redis.promote (why)") }, asked, true},
		"what is left, is not told": {func(e *evidence) { *e = left("not put back: azure.dns.record (why)") }, asked, false},
		"it is denied":              {func(e *evidence) { e.Outcome = engine.Denied }, "", false},
	} {
		e := good()
		c.spoil(&e)
		if end, broken := judge(e); end != c.end || (len(broken) == 0) != c.fine {
			t.Errorf("%s: %s, %v", what, end, broken)
		}
	}
}

// back is the evidence of one that was put back, and halfWay of one that is parked after its first step.
func back() evidence {
	e := good()
	e.Outcome, e.Told = engine.Uncured, nil
	for _, s := range steps() {
		e.Over[s], e.Changes[s] = false, 2
	}
	e.Order = append(e.Order, record, cosmos, endpoint)
	return e
}

// left is the evidence of one in which Redis could not be put back.
func left(why string) evidence {
	e := back()
	e.Why, e.Told = why, map[string]int{"escalated": 1}
	e.Over[promote], e.Changes[promote] = true, 1
	return e
}

func halfWay() evidence {
	e := back()
	e.Phase, e.Outcome = engine.PhaseParked, ""
	for _, s := range steps() {
		e.Changes[s] = 0
	}
	e.Over[endpoint], e.Changes[endpoint], e.Order = true, 1, []step{endpoint}
	return e
}
