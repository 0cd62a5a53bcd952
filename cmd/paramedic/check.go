package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/rules"
)

func newCheckCmd() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Check rule files",
		Long: `Checks rule files as "paramedic serve" reads them, together as one set. Every
finding has its file, line and column. Exit code 0: no errors (there may be
warnings), 3: errors, 1: it could not check.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return fmt.Errorf("--format %q: want text or json", format)
			}
			files, err := rules.Load(args...)
			if err != nil {
				return err
			}
			tools, err := app.NewTools(nil, time.Now, buildVersion())
			if err != nil {
				return err
			}
			set, findings := rules.Parse(files, tools.Catalog(app.ReporterNames()))
			if err := printFindings(cmd, format, findings); err != nil {
				return err
			}
			if findings.Failed() {
				return errFindings
			}
			if format == "text" {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d files, %d rules: fine\n", len(files), len(set.Rules()))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	return cmd
}

func printFindings(cmd *cobra.Command, format string, findings rules.Findings) error {
	out := cmd.OutOrStdout()
	if format == "text" {
		_, err := fmt.Fprint(out, findings.Format())
		return err
	}
	if findings == nil {
		findings = rules.Findings{}
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(findings)
}
