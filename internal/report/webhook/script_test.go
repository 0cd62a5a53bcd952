package webhook

import (
	"context"
	"log/slog"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/report"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// script is a ledger of one notice, and a reporter that fails with one error until it is clear what is made of it.
type script struct {
	err   error
	stop  context.CancelFunc
	calls int
}

func (*script) Name() string { return "script" }

func (s *script) Report(context.Context, report.Notice) error {
	s.calls++
	if s.calls > 1 {
		s.stop()
	}
	return s.err
}

func (*script) Last(context.Context) (uint64, error)                   { return 0, nil }
func (*script) Load(context.Context, string) ([]byte, error)           { return nil, nil }
func (*script) Save(context.Context, string, []byte) error             { return nil }
func (s *script) Read(context.Context, uint64) (report.Records, error) { return &reading{s: s}, nil }

type reading struct {
	s    *script
	read bool
}

func (*reading) Close() {}

func (r *reading) Next(ctx context.Context) (report.Record, error) {
	if !r.read {
		r.read = true
		return report.Record{Seq: 1, At: time.Now(), Events: []engine.Event{engine.ScopePaused{Scope: "all", By: "me"}}}, nil
	}
	timer := time.NewTimer(10 * time.Minute) // longer than any pause between two tries
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
		r.s.stop()
	}
	<-ctx.Done()
	return report.Record{}, ctx.Err()
}
