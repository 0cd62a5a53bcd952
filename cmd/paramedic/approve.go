package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/client"
	"github.com/tripgen/paramedic/internal/web/api"
)

func newApproveCmd(env environment) *cobra.Command {
	var plan string
	cmd := &cobra.Command{
		Use:   "approve RUN",
		Short: "Let a run that waits for a person act",
		Long: `Approves the plan of a run. Without --plan the plan is shown and a yes is
asked for, which needs a terminal. An approval is for exactly this plan: if the
run has made another one meanwhile, it is refused.`,
		Args: cobra.ExactArgs(1),
	}
	c := connect(cmd, env)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cl, err := c.client()
		if err != nil {
			return err
		}
		if plan == "" {
			if plan, err = c.askPlan(cmd, cl, args[0]); err != nil {
				return err
			}
		}
		out, err := cl.Approve(cmd.Context(), args[0], plan)
		if err != nil {
			return err
		}
		return c.commanded(cmd, out, "approved")
	}
	cmd.Flags().StringVar(&plan, "plan", "", "digest of the plan, as runs show prints it")
	return cmd
}

// askPlan shows the plan that waits, and returns its digest if a person agrees.
func (c *connection) askPlan(cmd *cobra.Command, cl *client.Client, run string) (string, error) {
	in, out := cmd.InOrStdin(), cmd.ErrOrStderr()
	if !c.terminal(in) {
		return "", errors.New("nobody can be asked here: give --plan DIGEST, which paramedic runs show prints")
	}
	d, err := cl.Run(cmd.Context(), run)
	if err != nil {
		return "", err
	}
	if d.Run.Plan == "" {
		return "", fmt.Errorf("run %s does not wait for approval: it is %s", run, state(d.Run))
	}
	if err := showPlan(out, d); err != nil {
		return "", err
	}
	if _, err := fmt.Fprint(out, "Approve? Type yes: "); err != nil {
		return "", err
	}
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	if strings.TrimSpace(answer) != "yes" {
		return "", errors.New("not approved: nothing was changed")
	}
	return d.Run.Plan, nil
}

func showPlan(out io.Writer, d api.RunDetail) error {
	rows := [][]string{
		{"Run", d.Run.ID}, {"Rule", d.Run.Rule}, {"Alert", d.Run.Alert}, {"Target", d.Run.Target},
	}
	for _, p := range d.Plans {
		rows = append(rows, []string{"Would", p.Summary})
		for _, ch := range p.Changes {
			rows = append(rows, []string{"", change(ch)})
		}
	}
	return table(out, append(rows, []string{"Plan", d.Run.Plan})...)
}
