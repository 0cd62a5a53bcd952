package failover_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/bus/access"
	"github.com/tripgen/paramedic/internal/e2e"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab/azure"
	"github.com/tripgen/paramedic/internal/ledger"
)

// japanese is the worker group of the second place, as the library's rule calls it.
const japanGroup = "japan"

// outpost is a world whose second place is a process of its own, which reaches the hub by the bus alone.
type outpost struct {
	*world
	folder, config, line string
	worker               *e2e.Paramedic
}

// newOutpost starts a world, its hub, and a worker in Japan.
func newOutpost(ctx context.Context, t *testing.T, program string) *outpost {
	t.Helper()
	keys, err := access.Open(t.TempDir())
	if err == nil {
		err = keys.Add(japanGroup)
	}
	if err != nil {
		t.Fatal(err)
	}
	nats, err := keys.Serve(ctx, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Close)
	w := startWorld(ctx, t, program)
	o := &outpost{world: w, folder: t.TempDir()}
	// Its secrets are where the hub's are: here it is one machine.
	o.config = strings.NewReplacer(`"azure.`, `"`+w.folder+`/azure.`).Replace(w.config()) + "worker: {group: " + japanGroup + "}\n"
	o.line = fmt.Sprintf("bus: {url: %q, credentials: %q, domain: %s}", nats.URL(), keys.SeedFile(japanGroup), access.Domain)
	w.bus = fmt.Sprintf("bus: {url: %q, credentials: %q, replicas: 1, maxStore: 256MiB}", nats.URL(), keys.SeedFile(access.Hub))
	w.more = "clusters: {" + japanGroup + ": {group: " + japanGroup + "}}\n"
	korea := w.korea.server.URL + "/actuator/health"
	if w.rules, err = fitted(libraryRules(t), slices.Concat(hours("2m"), w.addresses(japanGroup))...); err == nil {
		// The second place has an address of its own for Korea, so that it may see another health.
		before, after, _ := strings.Cut(w.rules, "- name: look-from-japan")
		w.rules = before + "- name: look-from-japan" + strings.Replace(after, korea, w.korea.server.URL+fromJapan+"/actuator/health", 1)
		err = w.start(ctx)
	}
	if err == nil {
		err = o.man(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.worker.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("--- the log in Japan ---\n%s", o.worker.Log())
		}
	})
	return o
}

// man starts the worker in Japan, for the first time or again.
func (o *outpost) man(ctx context.Context) error {
	worker, err := e2e.Start(ctx, e2e.Options{Program: o.program, Folder: o.folder, Config: o.config, Bus: o.line, Roles: "worker"})
	if err == nil {
		o.worker = worker
	}
	return err
}

// theSecondPlace has a worker in Japan look, too.
func (p program) theSecondPlace(t *testing.T) {
	t.Parallel()
	t.Run("sees Korea well, and nothing is done", func(t *testing.T) {
		ctx := bounded(t)
		o := newOutpost(ctx, t, string(p))
		o.korea.sick.Store(true)
		// It goes on looking for as long as Paramedic itself sees Korea down.
		err := eventually(ctx, func() error {
			r, err := o.run(ctx, failover)
			if err == nil && !strings.Contains(r.Why, "looks again") {
				err = fmt.Errorf("run %s is %s: %s", r.ID, r.Phase, r.Why)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		o.korea.sick.Store(false)
		r, err := o.reaches(ctx, failover, engine.PhaseEnded, engine.PhaseApproval)
		if err != nil || r.Outcome != engine.Cured {
			t.Fatalf("%s %s: %s, %v", r.Phase, r.Outcome, r.Why, err)
		}
		for _, kind := range azure.Kinds() {
			if n := o.cloud.Effects(kind); n != 0 {
				t.Errorf("%s, %d times", kind, n)
			}
		}
		o.lookedFromJapan(ctx, t, r.ID, 1)
	})
	t.Run("sees Korea down, though it is killed while it looks", func(t *testing.T) {
		ctx := bounded(t)
		o := newOutpost(ctx, t, string(p))
		o.korea.seen.Store(true)
		killed := make(chan error, 1)
		kill := func() { killed <- o.worker.Kill() }
		o.korea.sick.Store(true)
		if err := eventually(ctx, func() error { _, err := o.run(ctx, failover); return err }); err != nil {
			t.Fatal(err)
		}
		o.korea.asked.Store(&kill)
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
		if err := o.man(ctx); err != nil {
			t.Fatal(err)
		}
		o.cures(ctx, t, failover)
		r, err := o.run(ctx, failover)
		if err != nil {
			t.Fatal(err)
		}
		e, err := o.collect(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if end, broken := judge(e); end != finished || len(broken) > 0 {
			t.Errorf("%s: %v", end, broken)
		}
		// Its look, the preconditions (once before people are asked), and whether it helped.
		o.lookedFromJapan(ctx, t, r.ID, 3)
	})
}

// lookedFromJapan holds that all looks of a run are Japan's, and that there are so many at least.
func (o *outpost) lookedFromJapan(ctx context.Context, t *testing.T, run string, least int) {
	t.Helper()
	operator, err := o.api()
	if err != nil {
		t.Fatal(err)
	}
	fold, looks := ledger.NewFold(), 0
	err = operator.Ledger(ctx, 1, func(seq uint64, data []byte) error {
		record, err := fold.Take(seq, data)
		for _, event := range record.Events {
			answer, ok := event.(engine.TaskAnswered)
			if !ok || answer.Run != run || answer.Task != engine.TaskVerify && answer.Task != engine.TaskCheck {
				continue
			}
			if looks++; answer.Result.Group != engine.VerifyGroup(japanGroup) {
				t.Errorf("task %s was answered by %s", answer.Result.Task, answer.Result.Group)
			}
		}
		return err
	})
	if err != nil || looks < least {
		t.Errorf("%d looks, want %d, %v", looks, least, err)
	}
}
