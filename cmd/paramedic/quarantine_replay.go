package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/explain"
	"github.com/tripgen/paramedic/internal/web/api"
)

func newQuarantineReplayCmd(c *connection) *cobra.Command {
	var in api.ReplayRequest
	cmd := &cobra.Command{
		Use:   "replay ID... | --source NAME | --all",
		Short: "Decode bodies again and take them, the oldest first",
		Long: `Decodes bodies again, the oldest first, and takes their alerts as the deliveries
that they were. A body leaves the quarantine once its alerts are on disk; to replay
one a second time does no harm. Of each source, it stops at the first body that still
cannot be used, so that what is behind it keeps its order.

Exit code 0: all are replayed, 3: some still cannot be used, or are not there, 1: it
could not be done, or not to its end.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			in.IDs = args
			if len(args) == 0 {
				in.IDs = nil
			}
			if (in.IDs != nil) == (in.All || in.Source != "") || in.All && in.Source != "" {
				return errors.New("say what to replay: IDs, --source NAME or --all, one of them; paramedic quarantine list shows what there is")
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			r := &replaying{c: c, out: cmd.OutOrStdout(), count: map[api.ReplayOutcome]int{}}
			if err := cl.ReplayQuarantined(cmd.Context(), in, r.take); err != nil {
				return err
			}
			return r.end()
		},
	}
	cmd.Flags().StringVar(&in.Source, "source", "", "all bodies of this source")
	cmd.Flags().BoolVar(&in.All, "all", false, "all bodies")
	cmd.Flags().BoolVar(&in.Continue, "keep-going", false, "go on behind a body that still cannot be used")
	return cmd
}

// replaying prints what becomes of bodies, and counts.
type replaying struct {
	c      *connection
	out    io.Writer
	count  map[api.ReplayOutcome]int
	alerts int
}

func (r *replaying) take(e api.ReplayedEntry) error {
	r.count[e.Outcome]++
	r.alerts += e.Alerts
	if r.c.json() {
		return printJSON(r.out, e, false)
	}
	detail := e.Detail
	switch e.Outcome {
	case api.Skipped: // as many as there are; they are counted
		return nil
	case api.Replayed:
		detail = plural(e.Alerts, "alert")
	case api.Ignored, api.Refused, api.Absent, api.Failed:
	}
	_, err := fmt.Fprintf(r.out, "%-8s  %s  %s  %s\n", e.Outcome, explain.Clean(e.ID), explain.Clean(e.Source), explain.Clean(detail))
	return err
}

// end says what to do next.
func (r *replaying) end() error {
	if !r.c.json() {
		if err := r.summary(); err != nil {
			return err
		}
	}
	switch {
	case r.count[api.Failed] > 0:
		return errors.New("the replay ended early; run it again")
	case r.count[api.Refused]+r.count[api.Skipped]+r.count[api.Absent] > 0:
		return errFindings
	}
	return nil
}

func (r *replaying) summary() error {
	if len(r.count) == 0 {
		return say(r.out, "Nothing is in quarantine.")
	}
	err := say(r.out, "Replayed: %d, with %s. Nothing to do for: %d.", r.count[api.Replayed], plural(r.alerts, "alert"), r.count[api.Ignored])
	if err != nil || r.count[api.Refused] == 0 {
		return err
	}
	if err := say(r.out, "Still not usable: %d. Left behind them: %d.", r.count[api.Refused], r.count[api.Skipped]); err != nil {
		return err
	}
	return say(r.out, `Mend the cause (the source's type or mapping, or a newer version), and replay again.
To pass over them: --keep-going. What nobody needs: paramedic quarantine drop ID --reason WHY.`)
}
