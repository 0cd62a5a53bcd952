package main

import "github.com/spf13/cobra"

func newResumeCmd(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resume [SCOPE]",
		Short: "Let a paused scope go on",
		Long: `Lifts a pause. It lifts exactly this scope: resuming all leaves a rule paused
that was paused by itself. See paramedic pause --list.

` + scopes,
		Args: cobra.MaximumNArgs(1),
	}
	c := connect(cmd, env)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cl, err := c.client()
		if err != nil {
			return err
		}
		out, err := cl.Resume(cmd.Context(), scopeOf(args))
		if err != nil {
			return err
		}
		return c.switched(cmd, out)
	}
	return cmd
}
