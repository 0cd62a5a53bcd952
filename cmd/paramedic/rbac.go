package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/rules"
)

func newRBACCmd() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "rbac FILES",
		Short: "Print the smallest ClusterRole that rules need",
		Long: `Prints, as YAML, the smallest ClusterRole with which everything works that the
rules have in Kubernetes: their actions, their probes, and what on.rollout watches.
Bind it to the account that a cluster's entry in paramedic.yaml names.`,
		Example: `  paramedic rbac rules/*.yaml | kubectl apply -f -
  kubectl create clusterrolebinding paramedic --clusterrole=paramedic --serviceaccount=paramedic:paramedic`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sources, err := rules.Load(args...)
			if err != nil {
				return err
			}
			tools, err := app.NewTools(app.Systems{}, time.Now, buildVersion())
			if err != nil {
				return err
			}
			set, findings := rules.Parse(sources, tools.Catalog(app.ReporterNames()))
			if err := findings.Err(); err != nil {
				return errors.Join(errors.New("the rules have errors"), err)
			}
			role, err := app.ClusterRole(name, set, tools)
			if err != nil {
				return err
			}
			if _, err := cmd.OutOrStdout().Write(role); err != nil {
				return fmt.Errorf("write the ClusterRole: %w", err)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "paramedic", "the ClusterRole's name")
	return cmd
}
