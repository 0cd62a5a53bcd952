package main

import (
	"github.com/spf13/cobra"
)

func newTriggerCmd(env environment) *cobra.Command {
	var labels map[string]string
	var reason string
	cmd := &cobra.Command{
		Use:   "trigger RULE",
		Short: "Set off a rule that has on.manual",
		Long: `Sets off a rule of those in force that has on.manual, with the labels that it
asks for. Its mode and guards hold as for any alert: a rule in mode approve asks,
and one in mode shadow only says what it would have done.`,
		Example: `  paramedic trigger drain-zone --label zone=a --reason "the cooling failed"`,
		Args:    cobra.ExactArgs(1),
	}
	c := connect(cmd, env)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cl, err := c.client()
		if err != nil {
			return err
		}
		done, err := cl.Trigger(cmd.Context(), args[0], labels, reason)
		if err != nil {
			return err
		}
		out := cmd.OutOrStdout()
		switch {
		case c.json():
			return printJSON(out, done, true)
		case !done.Decided:
			return say(out, "The alert is stored, as delivery %s; the engine has not decided about it yet: see paramedic runs list --rule %s.", done.Delivery, args[0])
		case len(done.Runs) == 0:
			return say(out, "The alert is stored, as delivery %s, and set off no run: see paramedic runs watch for why.", done.Delivery)
		}
		for _, r := range done.Runs {
			if err := say(out, "Run %s on %s is %s: see paramedic runs show %s.", r.ID, r.Target, state(r), r.ID); err != nil {
				return err
			}
		}
		return nil
	}
	cmd.Flags().StringToStringVar(&labels, "label", nil, "NAME=VALUE; once for each label that the rule asks for")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the ledger")
	return cmd
}
