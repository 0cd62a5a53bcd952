package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/client"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/explain"
	"github.com/tripgen/paramedic/internal/web/api"
)

func newRunsCmd(env environment) *cobra.Command {
	cmd := &cobra.Command{Use: "runs", Short: "List, explain, follow and cancel runs"}
	c := connect(cmd, env)
	cmd.AddCommand(newRunsListCmd(c), newRunsShowCmd(c), newRunsWatchCmd(c), newRunsCancelCmd(c))
	return cmd
}

func newRunsListCmd(c *connection) *cobra.Command {
	var f client.Filter
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List runs, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			runs, err := cl.Runs(cmd.Context(), f)
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), runs, true)
			}
			return printRuns(cmd.OutOrStdout(), runs, time.Now())
		},
	}
	cmd.Flags().StringVar(&f.State, "state", "", "active, ended or all (default all)")
	cmd.Flags().StringVar(&f.Rule, "rule", "", "only runs of this rule")
	cmd.Flags().StringVar(&f.Outcome, "outcome", "", "only runs that ended so, such as cured")
	cmd.Flags().IntVar(&f.Limit, "limit", 50, "at most so many")
	return cmd
}

func printRuns(out io.Writer, runs api.Runs, now time.Time) error {
	if len(runs.Runs) == 0 {
		return say(out, "No runs.")
	}
	rows := [][]string{{"RUN", "RULE", "TARGET", "STATE", "ATTEMPT", "STARTED", "TOOK", "WHY"}}
	for _, r := range runs.Runs {
		rows = append(rows, []string{
			r.ID, r.Rule, r.Target, state(r), strconv.Itoa(r.Attempt), moment(r.StartedAt), took(r, now), r.Why,
		})
	}
	if err := table(out, rows...); err != nil {
		return err
	}
	if left := runs.Matching - len(runs.Runs); left > 0 {
		return say(out, "and %d more: see --limit", left)
	}
	return nil
}

// state is the phase of a run that goes on, and the outcome of one that ended.
func state(r api.Run) string {
	s := cmp.Or(string(r.Outcome), string(r.Phase), "not known now")
	if r.Guard != "" {
		s += " (" + r.Guard + ")"
	}
	return s
}

func took(r api.Run, now time.Time) string {
	end := r.EndedAt
	if end.IsZero() {
		end = now
	}
	return end.Sub(r.StartedAt).Round(time.Second).String()
}

func newRunsShowCmd(c *connection) *cobra.Command {
	return &cobra.Command{
		Use:   "show RUN",
		Short: "Explain a run: what came in, what was decided and done, and why",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			run, err := cl.Run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), run, true)
			}
			return printRun(cmd.OutOrStdout(), run)
		},
	}
}

func printRun(out io.Writer, d api.RunDetail) error {
	r := d.Run
	rows := [][]string{
		{"Run", r.ID},
		{"State", state(r)},
		{"Why", cmp.Or(r.Why, "-")},
		{"Alert", fmt.Sprintf("%s %s from %s", r.Alert, r.Severity, d.Alert.Source)},
		{"Alerts in it", strconv.Itoa(r.Episodes)},
		{"Rule", fmt.Sprintf("%s (mode %s, rule set %s)", r.Rule, r.Mode, r.RuleSet)},
		{"Target", r.Target},
		{"Attempt", strconv.Itoa(r.Attempt)},
		{"Started", moment(r.StartedAt)},
		{"Ended", moment(r.EndedAt)},
	}
	for _, p := range d.Plans {
		rows = append(rows, []string{"Plan", p.Summary})
		for _, ch := range p.Changes {
			rows = append(rows, []string{"", change(ch)})
		}
	}
	if r.Plan != "" {
		rows = append(rows, []string{"To approve", "paramedic approve " + r.ID + " --plan " + r.Plan})
	}
	if err := table(out, rows...); err != nil {
		return err
	}
	if err := say(out, ""); err != nil {
		return err
	}
	lines := make([][]string, len(d.Timeline))
	for i, e := range d.Timeline {
		lines[i] = []string{moment(e.At), e.Topic, e.Sentence}
	}
	if err := table(out, lines...); err != nil {
		return err
	}
	if d.Truncated {
		return say(out, "and more: see paramedic ledger export")
	}
	return nil
}

func change(ch engine.Change) string {
	return fmt.Sprintf("%s: %s -> %s", ch.Field, cmp.Or(ch.From, "(none)"), cmp.Or(ch.To, "(none)"))
}

func newRunsWatchCmd(c *connection) *cobra.Command {
	var exit bool
	var from uint64
	cmd := &cobra.Command{
		Use:   "watch [RUN]",
		Short: "Follow the ledger, or one run from its beginning, until interrupted",
		Long: `Follows what is decided and done, a line each, until it is interrupted. With
--exit it ends when the run ends. Exit code 0: cured or restored, 3: ended
otherwise.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if exit && len(args) == 0 {
				return errors.New("--exit needs a run whose end is waited for")
			}
			if cmd.Flags().Changed("from") && len(args) == 1 {
				return errors.New("--from is for the whole ledger; a run is shown from its beginning")
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			w := &watch{c: c, out: cmd.OutOrStdout(), exit: exit}
			follow := client.Follow{From: from, Lost: func(err error) {
				cmd.PrintErrln("paramedic: the connection is lost; coming again:", err)
			}}
			if len(args) == 1 {
				return w.run(cmd.Context(), cl, args[0], follow)
			}
			return cl.Events(cmd.Context(), follow, w.print)
		},
	}
	cmd.Flags().BoolVar(&exit, "exit", false, "end when the run ends")
	cmd.Flags().Uint64Var(&from, "from", 0, "begin with this record of the ledger (default what comes from now on)")
	return cmd
}

// watch prints events as they come.
type watch struct {
	c     *connection
	out   io.Writer
	runID string
	exit  bool
	ended engine.RunFinal
}

func (w *watch) run(ctx context.Context, cl *client.Client, id string, follow client.Follow) error {
	d, err := cl.Run(ctx, id)
	if err != nil {
		return err
	}
	w.runID = id
	for _, e := range d.Timeline {
		if err := w.print(e); err != nil {
			return w.verdict(err)
		}
	}
	follow.Run, follow.From = id, d.Ledger+1
	return w.verdict(cl.Events(ctx, follow, w.print))
}

// verdict makes the run's end the command's.
func (w *watch) verdict(err error) error {
	if err != nil && !errors.Is(err, client.ErrStop) {
		return err
	}
	if w.exit && w.ended != engine.Cured && w.ended != engine.Restored {
		return errFindings
	}
	return nil
}

func (w *watch) print(e api.Entry) error {
	var err error
	if w.c.json() {
		err = printJSON(w.out, e, false)
	} else {
		id := cmp.Or(e.Run, "-")
		_, err = fmt.Fprintf(w.out, "%s  %-12s  %-6s  %s\n", moment(e.At), explain.Clean(id), explain.Clean(e.Topic), explain.Clean(e.Sentence))
	}
	if err != nil {
		return err
	}
	if e.Outcome != "" && e.Run == w.runID {
		w.ended = e.Outcome
		if w.exit {
			return client.ErrStop
		}
	}
	return nil
}

func newRunsCancelCmd(c *connection) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "cancel RUN",
		Short: "End a run",
		Long: `Ends a run. An action that is under way is not broken off: cancel when its outcome is known.
What a run did that stands until its restore stays as it is.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			out, err := cl.Cancel(cmd.Context(), args[0], reason)
			if err != nil {
				return err
			}
			return c.commanded(cmd, out, "cancelled")
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the ledger")
	return cmd
}

// commanded prints what became of a command about a run.
func (c *connection) commanded(cmd *cobra.Command, a api.Commanded, done string) error {
	out := cmd.OutOrStdout()
	switch {
	case c.json():
		return printJSON(out, a, true)
	case a.Decided:
		return say(out, "Run %s is %s: %s.", a.Run.ID, done, state(a.Run))
	}
	return say(out, "Run %s: %s.", a.Run.ID, explain.Clean(a.Detail))
}
