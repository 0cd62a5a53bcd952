package main

import "github.com/spf13/cobra"

func newDenyCmd(env environment) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "deny RUN",
		Short: "End a run that waits for a person, without acting",
		Args:  cobra.ExactArgs(1),
	}
	c := connect(cmd, env)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cl, err := c.client()
		if err != nil {
			return err
		}
		out, err := cl.Deny(cmd.Context(), args[0], reason)
		if err != nil {
			return err
		}
		return c.commanded(cmd, out, "denied")
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the ledger")
	return cmd
}
