package app

import (
	"context"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/web"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/receiver"
)

// replayer hands bodies from quarantine to the receiver, in the API's words.
func replayer(rx *receiver.Receiver) web.Replayer {
	return func(ctx context.Context, e bus.QuarantineEntry, body []byte, try bool) (api.ReplayedEntry, error) {
		k := receiver.Kept{ID: e.ID, Source: e.Source, Headers: e.Headers, Body: body}
		do := func() (receiver.Replayed, error) { return rx.Replay(ctx, k) }
		if try {
			do = func() (receiver.Replayed, error) { return rx.Try(k) }
		}
		got, err := do()
		out := api.ReplayedEntry{Outcome: api.Replayed, Alerts: got.Alerts, Warnings: got.Warnings}
		switch {
		case err != nil:
			return api.ReplayedEntry{}, err
		case got.Refused != "":
			out.Outcome, out.Detail = api.Refused, got.Refused
		case got.Ignored != "":
			out.Outcome, out.Detail = api.Ignored, got.Ignored
		}
		return out, nil
	}
}
