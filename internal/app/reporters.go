package app

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/internal/report"
	"github.com/tripgen/paramedic/internal/report/log"
	"github.com/tripgen/paramedic/internal/report/webhook"
)

// reporterLease is held by the one process that reports.
const (
	reporterLease    = "reporter"
	reporterLeaseTTL = 10 * time.Second
)

// ReporterNames are the reporters that rules of this build may name.
func ReporterNames() []string { return []string{log.Name, webhook.Name} }

func (a *App) startReporters(ctx context.Context) error {
	if !a.has(RoleReporter) {
		return nil
	}
	subscriptions, err := a.subscriptions()
	if err != nil {
		return err
	}
	d, err := report.New(report.Options{
		Subscriptions: subscriptions, Ledger: reportLedger{a.bus}, Store: a.bus.Progress(),
		Log: a.o.Logger.With("part", "reporter"), Metrics: a.metrics, Now: time.Now, Jitter: rand.Float64,
	})
	if err != nil {
		return err
	}
	a.life.run(ctx, "reporters", closePart, func(ctx context.Context) error { return a.report(ctx, d) })
	return nil
}

func (a *App) subscriptions() ([]report.Subscription, error) {
	c := a.o.Config.Reporters
	all := []report.Subscription{{Reporter: log.New(a.o.Logger), All: c.Log.All}}
	for _, w := range c.Webhooks {
		o := webhook.Options{Name: w.Name, URL: w.URL, Timeout: w.Timeout, Version: a.o.Version, Now: time.Now}
		if w.Bearer.IsSet() {
			o.Bearer = w.Bearer.Read
		}
		if w.Signature.IsSet() {
			o.Signature = w.Signature.Read
		}
		reporter, err := webhook.New(o)
		if err != nil {
			return nil, err
		}
		a.life.onClose("webhook "+w.Name, closePart, func(context.Context) error {
			reporter.Close()
			return nil
		})
		all = append(all, report.Subscription{Reporter: reporter, All: w.All})
	}
	return all, nil
}

// report runs the dispatcher while this process is the one that reports.
func (a *App) report(ctx context.Context, d *report.Dispatcher) error {
	lease := a.bus.Lease(reporterLease, a.id, reporterLeaseTTL)
	for {
		if err := lease.Acquire(ctx); err != nil {
			return err
		}
		term, cancel := context.WithCancel(ctx)
		go func() {
			defer cancel()
			select {
			case <-lease.Done():
			case <-term.Done():
			}
		}()
		d.Run(term)
		cancel()
		if ctx.Err() != nil {
			return lease.Release(context.WithoutCancel(ctx))
		}
	}
}

// reportLedger shows the bus's ledger as the reporters want to see it.
type reportLedger struct{ bus *bus.Bus }

func (l reportLedger) Last(ctx context.Context) (uint64, error) { return l.bus.LedgerLast(ctx) }

func (l reportLedger) Read(ctx context.Context, seq uint64) (report.Records, error) {
	reader, err := l.bus.Ledger(ctx, seq)
	if err != nil {
		return nil, err
	}
	return reportRecords{reader, ledger.NewDecoder()}, nil
}

type reportRecords struct {
	*bus.Reader
	decoder *ledger.Decoder
}

func (r reportRecords) Next(ctx context.Context) (report.Record, error) {
	msg, err := r.Reader.Next(ctx)
	if err != nil {
		return report.Record{}, err
	}
	rec, err := r.decoder.Decode(msg.Data)
	if err != nil {
		return report.Record{}, err
	}
	return report.Record{Seq: msg.Seq, At: rec.At, Events: rec.Events}, nil
}
