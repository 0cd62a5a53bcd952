package report

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/internal/engine"
)

func everything(l *listener) Subscription { return Subscription{Reporter: l, All: true} }

func pausedBy(who string) engine.ScopePaused { return engine.ScopePaused{Scope: "all", By: who} }

func TestEachReporterHearsItsRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		all, ops, slack, unasked := &listener{name: "log"}, &listener{name: "webhook/ops"}, &listener{name: "slack"}, &listener{name: "webhook/audit"}
		stop := w.run(everything(all), Subscription{Reporter: ops}, Subscription{Reporter: slack}, Subscription{Reporter: unasked})
		synctest.Wait()
		w.append(pausedBy("kim"))
		w.append(started("a", engine.Route{Reporter: "webhook", To: "ops"}, engine.Route{Reporter: "slack", To: "#ops"},
			engine.Route{Reporter: "slack", To: "#dev"}, engine.Route{Reporter: "webhook", To: "gone"}))
		w.append(ended("a", engine.Uncured, "r"), engine.Escalated{Run: "a", Routes: []engine.Route{{Reporter: "slack", To: "#all"}}})
		synctest.Wait()
		stop()
		for l, want := range map[*listener][]string{
			all: {"1-0", "2-0", "3-0", "3-1"}, ops: {"2-0", "3-0"}, slack: {"2-0", "3-0", "3-1"}, unasked: {},
		} {
			if got := l.ids(); !slices.Equal(got, want) {
				t.Errorf("%s: got %v, want %v", l.name, got, want)
			}
		}
		if got := slack.heard[0].Routes; len(got) != 2 || got[1].To != "#dev" {
			t.Errorf("a reporter sees routes that are not its own: %v", got)
		}
		if n := w.metric("paramedic_report_unrouted_total", "webhook"); n != 2 {
			t.Errorf("counted %v routes to nowhere, want 2", n)
		}
		if n := strings.Count(w.log.String(), "not configured"); n != 1 {
			t.Errorf("told %d times of the reporter that is not configured:\n%s", n, w.log.String())
		}
	})
}

func TestOneThatIsDownHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		healed := time.Now().Add(20 * time.Minute)
		down := &listener{name: "down", answer: func(context.Context, Notice, int) error {
			if time.Now().Before(healed) {
				return errBroken
			}
			return nil
		}}
		up := &listener{name: "up"}
		stop := w.run(everything(down), everything(up))
		synctest.Wait()
		for _, who := range []string{"a", "b", "c"} {
			w.append(pausedBy(who))
		}
		synctest.Wait()
		if got := up.ids(); len(got) != 3 {
			t.Errorf("the one that is up heard %v", got)
		}
		waitFor(30 * time.Minute)
		stop()
		if got := down.ids(); !slices.Equal(got, []string{"1-0", "2-0", "3-0"}) {
			t.Errorf("the one that was down heard %v", got)
		}
		if tries := down.tries["1-0"]; tries < 5 || tries > 15 {
			t.Errorf("tried %d times in 20 minutes", tries)
		}
	})
}

func TestANoticeDiesWhenItIsRefusedOrTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l := &listener{name: "l", answer: func(_ context.Context, n Notice, _ int) error {
			switch n.By {
			case "refused":
				return Permanent(errBroken)
			case "late":
				return errBroken
			}
			return nil
		}}
		stop := w.run(everything(l))
		synctest.Wait()
		w.append(pausedBy("refused"))
		w.append(pausedBy("late"))
		w.append(pausedBy("fine"))
		synctest.Wait()
		begun := time.Now()
		for len(l.ids()) == 0 {
			waitFor(time.Minute)
			if time.Since(begun) > 2*time.Hour {
				t.Fatal("the third notice never came")
			}
		}
		if took := time.Since(begun); took < time.Hour || took > time.Hour+10*time.Minute {
			t.Errorf("the second notice was given up after %s", took)
		}
		stop()
		if l.tries["1-0"] != 1 || w.metric("paramedic_report_dead_total", "refused") != 1 || w.metric("paramedic_report_dead_total", "exhausted") != 1 {
			t.Errorf("tries %v", l.tries)
		}
		if n := strings.Count(w.log.String(), "given up"); n != 2 {
			t.Errorf("told %d times of 2 dead notices:\n%s", n, w.log.String())
		}
	})
}

func TestADelayIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var times []time.Time
		asked := []time.Duration{time.Minute, 100 * time.Hour, 0}
		l := &listener{name: "l", answer: func(_ context.Context, _ Notice, tries int) error {
			times = append(times, time.Now())
			if tries <= len(asked) {
				return Delayed(errBroken, asked[tries-1])
			}
			return nil
		}}
		stop := w.run(everything(l))
		synctest.Wait()
		w.append(pausedBy("kim"))
		waitFor(time.Hour)
		stop()
		for i, want := range []time.Duration{time.Minute, backoffMost, 4 * time.Second} {
			if got := times[i+1].Sub(times[i]); got != want {
				t.Errorf("pause %d: got %s, want %s", i, got, want)
			}
		}
	})
}

func TestAReporterThatHangsIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l := &listener{name: "l", answer: func(ctx context.Context, _ Notice, tries int) error {
			if tries == 1 {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return nil
		}}
		stop := w.run(everything(l))
		synctest.Wait()
		w.append(pausedBy("kim"))
		waitFor(time.Minute)
		stop()
		if len(l.ids()) != 1 || !strings.Contains(w.log.String(), errTimeout.Error()) {
			t.Errorf("heard %v:\n%s", l.ids(), w.log.String())
		}
	})
}

func TestANewReporterBeginsAtTheEndAndKnowsTheRunsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.append(started("a", engine.Route{Reporter: "l"}))
		w.append(engine.RunAllowed{Run: "a", Plan: "p"})
		l := &listener{name: "l"}
		stop := w.run(Subscription{Reporter: l})
		synctest.Wait()
		w.append(ended("a", engine.Cured, ""))
		synctest.Wait()
		stop()
		if got := l.ids(); !slices.Equal(got, []string{"3-0"}) || l.heard[0].Rule != "service-down" {
			t.Errorf("heard %v", got)
		}
	})
}

func TestARestartGoesOnWhereItStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l := &listener{name: "l"}
		stop := w.run(everything(l))
		synctest.Wait()
		w.append(started("a"))
		w.append(engine.RunAllowed{Run: "a", Plan: "p"})
		synctest.Wait()
		stop()
		w.append(engine.AttemptFailed{Run: "a", Reason: "while it was down"})
		stop = w.run(everything(l))
		w.append(ended("a", engine.Cured, ""))
		synctest.Wait()
		stop()
		if got := l.ids(); !slices.Equal(got, []string{"1-0", "2-0", "3-0", "4-0"}) {
			t.Errorf("heard %v", got)
		}
	})
}

func TestAStopInTheMiddleOfADeliveryDeliversAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l := &listener{name: "l", answer: func(ctx context.Context, n Notice, tries int) error {
			if n.By == "second" && tries == 1 {
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return nil
		}}
		stop := w.run(everything(l))
		synctest.Wait()
		w.append(pausedBy("first"), pausedBy("second"))
		synctest.Wait()
		stop()
		stop = w.run(everything(l))
		synctest.Wait()
		stop()
		if got := l.ids(); !slices.Equal(got, []string{"1-0", "1-0", "1-1"}) {
			t.Errorf("heard %v", got)
		}
	})
}

func TestProgressIsSavedSoonAndSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l := &listener{name: "l"}
		stop := w.run(everything(l))
		synctest.Wait()
		before := w.saves
		for range 1000 {
			w.append(pausedBy("kim"))
		}
		synctest.Wait()
		waitFor(saveEvery + time.Millisecond)
		synctest.Wait()
		w.mu.Lock()
		value, saves := string(w.values["l"]), w.saves-before
		w.mu.Unlock()
		if value != `{"seq":1000,"oldest":1001}` || saves > 4 {
			t.Errorf("saved %s in %d saves", value, saves)
		}
		stop()
	})
}

func TestTroubleWithTheLedgerAndTheStoreLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		l := &listener{name: "l"}
		w.fail(3)
		stop := w.run(everything(l))
		waitFor(time.Minute)
		for i := range 20 {
			w.append(pausedBy("kim"))
			w.fail(i % 4)
			waitFor(time.Minute)
		}
		stop()
		var want []string
		for _, n := range fold(NewFold(), w.records) {
			want = append(want, n.ID)
		}
		if got := l.ids(); !slices.Equal(got, want) {
			t.Errorf("heard %v, want %v", got, want)
		}
		if w.metric("paramedic_report_broken_total", "l") == 0 {
			t.Error("the trouble was not counted")
		}
	})
}

func TestNewRefuses(t *testing.T) {
	w := newWorld(t)
	good := func() Options {
		return Options{
			Ledger: w, Store: w, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Now: time.Now,
			Jitter: func() float64 { return 0 },
		}
	}
	if _, err := New(good()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Options){
		"Ledger":   func(o *Options) { o.Ledger = nil },
		"Jitter":   func(o *Options) { o.Jitter = nil },
		"is empty": func(o *Options) { o.Subscriptions = []Subscription{everything(&listener{})} },
		"taken": func(o *Options) {
			o.Subscriptions = []Subscription{everything(&listener{name: "a"}), everything(&listener{name: "a"})}
		},
		unroutedName: func(o *Options) { o.Subscriptions = []Subscription{everything(&listener{name: unroutedName})} },
		"patience":   func(o *Options) { o.Patience = -1 },
	} {
		o := good()
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	o := good()
	registry := prometheus.NewRegistry()
	o.Metrics = registry
	if _, err := New(o); err != nil {
		t.Fatal(err)
	}
	if _, err := New(o); err == nil {
		t.Error("two Dispatchers share their metrics")
	}
}

func TestFailuresKeepTheirCause(t *testing.T) {
	for _, err := range []error{Permanent(errBroken), Delayed(errBroken, time.Second)} {
		if !errors.Is(err, errBroken) || err.Error() != errBroken.Error() {
			t.Errorf("got %v", err)
		}
	}
	if delay(Delayed(errBroken, -time.Second)) != 0 {
		t.Error("a delay is negative")
	}
}

// waitFor lets virtual time pass.
func waitFor(d time.Duration) { <-time.After(d) }
