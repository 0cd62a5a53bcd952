package main

import (
	"cmp"
	"io"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/explain"
	"github.com/tripgen/paramedic/internal/web/api"
)

const scopes = `A SCOPE is all (which is the default), rule/NAME, cluster/NAME or
target/TARGET, the target as runs list prints it.`

func newPauseCmd(env environment) *cobra.Command {
	var reason string
	var list bool
	cmd := &cobra.Command{
		Use:   "pause [SCOPE]",
		Short: "Stop everything, or one rule, cluster or target",
		Long: `Stops all actions in a scope, within a second, also in workers whose engine is
down. Alerts are still taken, and runs wait until the scope is resumed.

` + scopes,
		Args: cobra.MaximumNArgs(1),
	}
	c := connect(cmd, env)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cl, err := c.client()
		if err != nil {
			return err
		}
		if list {
			all, err := cl.Pauses(cmd.Context())
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), all, true)
			}
			return printPauses(cmd.OutOrStdout(), all)
		}
		out, err := cl.Pause(cmd.Context(), scopeOf(args), reason)
		if err != nil {
			return err
		}
		return c.switched(cmd, out)
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the ledger and whoever finds it paused")
	cmd.Flags().BoolVar(&list, "list", false, "only list what is paused")
	cmd.MarkFlagsMutuallyExclusive("list", "reason")
	return cmd
}

func scopeOf(args []string) string {
	if len(args) == 0 {
		return engine.ScopeAll
	}
	return args[0]
}

// switched prints a change of the kill switch.
func (c *connection) switched(cmd *cobra.Command, s api.Switched) error {
	out := cmd.OutOrStdout()
	if c.json() {
		return printJSON(out, s, true)
	}
	if s.Warning != "" {
		cmd.PrintErrln("paramedic:", explain.Clean(s.Warning))
	}
	what := "resumed"
	if s.Paused {
		what = "paused"
	}
	return say(out, "%s is %s; the workers obey. Active runs in this scope: %d.", explain.Clean(s.Scope), what, s.ActiveRuns)
}

func printPauses(out io.Writer, all api.Pauses) error {
	if len(all.Pauses) == 0 {
		return say(out, "Nothing is paused.")
	}
	rows := [][]string{{"SCOPE", "BY", "SINCE", "STATE", "REASON"}}
	for _, p := range all.Pauses {
		how := "paused"
		switch {
		case !p.Enforced:
			how = "being resumed"
		case !p.Recorded:
			how = "paused, not in the ledger yet"
		}
		rows = append(rows, []string{p.Scope, cmp.Or(p.By, "-"), moment(p.At), how, cmp.Or(p.Reason, "-")})
	}
	return table(out, rows...)
}
