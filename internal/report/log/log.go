// Package log reports by a line in the program's own log for each notice. It is named "log" in routes; what a route
// says behind that, {log: NAME}, is not used.
//
// Concurrency: as safe as the logger that it is made with.
package log

import (
	"context"
	"log/slog"
	"time"

	"github.com/tripgen/paramedic/internal/report"
)

// Name is what routes call it.
const Name = "log"

// Reporter writes to a logger.
type Reporter struct {
	log *slog.Logger
}

// New makes a Reporter.
func New(log *slog.Logger) Reporter { return Reporter{log: log} }

// Name is [Name].
func (Reporter) Name() string { return Name }

// Report writes one line: at level error or warn if a person may be needed, else info. It cannot fail.
func (r Reporter) Report(ctx context.Context, n report.Notice) error {
	attrs := []slog.Attr{
		slog.String("text", n.Text), slog.String("notice", n.ID), slog.String("kind", string(n.Kind)), slog.Time("event_at", n.At.UTC()),
	}
	for _, a := range []slog.Attr{
		slog.String("run", n.Run), slog.String("rule", n.Rule), slog.String("target", n.Target),
		slog.String("guard", n.Guard), slog.String("plan", n.Plan), slog.String("scope", n.Scope), slog.String("by", n.By),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if n.Attempt > 0 {
		attrs = append(attrs, slog.Int("attempt", n.Attempt))
	}
	if !n.Until.IsZero() {
		attrs = append(attrs, slog.String("until", n.Until.UTC().Format(time.RFC3339)))
	}
	if n.Alert != nil {
		attrs = append(attrs, slog.String("alert", n.Alert.Name))
	}
	r.log.LogAttrs(ctx, level(n.Kind), "notice", attrs...)
	return nil
}

func level(k report.Kind) slog.Level {
	switch k {
	case report.Parked, report.Escalated, report.Uncured, report.Undetermined, report.RuleFailed:
		return slog.LevelError
	case report.ApprovalWanted, report.Undoing, report.AttemptFailed, report.HeldBack, report.Unapproved, report.Paused:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}
