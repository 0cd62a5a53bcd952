package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/rules"
)

// The formats of check and explain.
const (
	formatText  = "text"
	formatJSON  = "json"
	formatSARIF = "sarif"
)

// checking is one call of the command check.
type checking struct {
	format, config  string
	strict, explain bool
}

func newCheckCmd() *cobra.Command {
	var c checking
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Check rule files",
		Long: `Checks rule files as "paramedic serve" reads them, together as one set. Every
finding has its file, line and column, and a code that stays the same. With
--explain it also prints every setting that a rule runs under, and whether it is
written in the rule, a default of its file, or built in.

Exit code 0: no errors (there may be warnings, unless --strict), 3: findings,
1: it could not check.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.OutOrStdout(), args) },
	}
	cmd.Flags().StringVar(&c.format, "format", formatText, "text, json or sarif")
	cmd.Flags().BoolVar(&c.strict, "strict", false, "let warnings count as errors")
	configured(cmd.Flags(), &c.config)
	cmd.Flags().BoolVar(&c.explain, "explain", false, "print every setting and where it comes from")
	return cmd
}

func (c checking) run(out io.Writer, names []string) error {
	if !slices.Contains([]string{formatText, formatJSON, formatSARIF}, c.format) {
		return fmt.Errorf("--format %q: want text, json or sarif", c.format)
	}
	if c.explain && c.format == formatSARIF {
		return fmt.Errorf("--explain has no form in %s: use text or json", formatSARIF)
	}
	files, err := rules.Load(names...)
	if err != nil {
		return err
	}
	catalog, err := buildCatalog(c.config)
	if err != nil {
		return err
	}
	set, findings := rules.Parse(files, catalog)
	if err := c.print(out, set, findings); err != nil {
		return err
	}
	if findings.Failed() || c.strict && len(findings) > 0 {
		return errFindings
	}
	if c.format == formatText {
		verdict := "fine"
		if len(findings) > 0 {
			verdict = "no errors, " + plural(len(findings), "warning")
		}
		return say(out, "%s, %s: %s", plural(len(files), "file"), plural(len(set.Rules()), "rule"), verdict)
	}
	return nil
}

// plural is a number of things.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// buildCatalog is what rules may use of this build, and of the actions in a
// configuration, if one is named.
func buildCatalog(file string) (rules.Catalog, error) {
	tools, err := app.NewTools(app.Systems{}, time.Now, buildVersion())
	if err != nil {
		return rules.Catalog{}, err
	}
	if file == "" {
		return tools.Catalog(app.ReporterNames()), nil
	}
	c, err := config.Load(file, config.ProcessEnv())
	if err != nil {
		return rules.Catalog{}, fmt.Errorf("--config: %w", err)
	}
	return tools.Configured(c)
}

// configured adds the flag that names a configuration for buildCatalog.
func configured(flags textFlags, file *string) {
	flags.StringVar(file, "config", "", "configuration whose actions rules may use")
}

func (c checking) print(out io.Writer, set *rules.Set, findings rules.Findings) error {
	if findings == nil {
		findings = rules.Findings{}
	}
	settings := []rules.RuleSettings{}
	if c.explain && set != nil {
		settings = set.Provenance()
	}
	switch {
	case c.format == formatSARIF:
		return printJSON(out, sarifOf(findings, buildVersion()), true)
	case c.format == formatJSON && c.explain:
		return printJSON(out, struct {
			Findings rules.Findings       `json:"findings"`
			Rules    []rules.RuleSettings `json:"rules"`
		}{findings, settings}, true)
	case c.format == formatJSON:
		return printJSON(out, findings, true)
	}
	if _, err := fmt.Fprint(out, findings.Format()); err != nil {
		return err
	}
	for _, r := range settings {
		if err := printSettings(out, r); err != nil {
			return err
		}
	}
	return nil
}

func printSettings(out io.Writer, r rules.RuleSettings) error {
	if err := say(out, "%s (%s:%d)", r.Rule, r.File, r.Line); err != nil {
		return err
	}
	rows := make([][]string, len(r.Settings))
	for i, s := range r.Settings {
		from := string(s.From)
		if s.Line > 0 {
			from = fmt.Sprintf("%s, %s:%d", s.From, s.File, s.Line)
		}
		rows[i] = []string{"", s.Name, s.Value, from}
	}
	return table(out, rows...)
}
