package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/rules/ruletest"
)

// formatJUnit is the form of test reports that CI systems read.
const formatJUnit = "junit"

// ruleTesting is one call of the command test.
type ruleTesting struct {
	format, run string
	config      string
	verbose     bool
	missed      bool
	least       string
}

func newTestCmd() *cobra.Command {
	var t ruleTesting
	cmd := &cobra.Command{
		Use:   "test FILE...",
		Short: "Run rule tests",
		Long: `Runs rule tests: files named *_test.yaml beside the rules that they test. The
engine that runs in production decides, over virtual time. A folder stands for
all rule tests in and below it.

A test says which alerts come, what workers answer, and what must follow:

  apiVersion: paramedic.dev/v1
  kind: RuleTest
  metadata: {name: tripgen}
  spec:
    tests:
      - name: a restart cures
        events:
          - {fires: {alertname: ServiceDown, job: profile-service}, severity: critical, repeat: 5m}
        expect:
          - {do: kubernetes.restart, rule: service-down}
          - {ended: cured, within: 3m}

Exit code 0: all passed, 3: a test failed or too little was reached, 1: something
could not be run.`,
		Example: `  paramedic test rules/
  paramedic test --run cooldown -v rules/tripgen_test.yaml
  paramedic test --format junit --cover-min 80% rules/ > report.xml
  paramedic test --coverage --cover-min rules=100%,attempts=90% rules/`,
		Args: cobra.MinimumNArgs(1),
		RunE: t.do,
	}
	cmd.Flags().StringVar(&t.format, "format", formatText, "text, junit or json")
	configured(cmd.Flags(), &t.config)
	cmd.Flags().StringVar(&t.run, "run", "", "run only the tests whose FILE'S NAME/TEST'S NAME fits this regular expression")
	cmd.Flags().BoolVarP(&t.verbose, "verbose", "v", false, "show what happened in tests that passed, too")
	cmd.Flags().BoolVar(&t.missed, "coverage", false, "list the rules, attempts and guards that no test reached")
	cmd.Flags().StringVar(&t.least, "cover-min", "", "fail if less was reached: 80%, or for single parts rules=100%,attempts=90%,guards=50%")
	return cmd
}

func (t *ruleTesting) do(cmd *cobra.Command, paths []string) error {
	if !slices.Contains([]string{formatText, formatJUnit, formatJSON}, t.format) {
		return fmt.Errorf("--format %q: want text, junit or json", t.format)
	}
	least, err := parseLeast(t.least)
	if err != nil {
		return err
	}
	catalog, err := buildCatalog(t.config)
	if err != nil {
		return err
	}
	o := ruletest.Options{Catalog: catalog, Now: time.Now}
	if t.run != "" {
		if o.Run, err = regexp.Compile(t.run); err != nil {
			return fmt.Errorf("--run: %w", err)
		}
	}
	report, err := ruletest.Run(cmd.Context(), paths, o)
	if err != nil {
		return err
	}
	if err := t.print(cmd.OutOrStdout(), report); err != nil {
		return err
	}
	_, failed, broken := report.Count()
	if broken > 0 {
		return fmt.Errorf("%d of %d files could not be run", broken, len(report.Files))
	}
	enough := true
	for _, l := range least {
		if got := report.Coverage.Percent(l.part); got < l.percent {
			enough = false
			if err := say(cmd.ErrOrStderr(), "the tests reach %d%% of %s, and --cover-min asks for %d%%: --coverage lists what is missing", got, l, l.percent); err != nil {
				return err
			}
		}
	}
	if failed > 0 || !enough {
		return errFindings
	}
	return nil
}

func (t *ruleTesting) print(out io.Writer, report ruletest.Report) error {
	switch t.format {
	case formatJUnit:
		b, err := report.JUnit()
		if err != nil {
			return err
		}
		_, err = out.Write(b)
		return err
	case formatJSON:
		return printJSON(out, report, true)
	}
	_, err := io.WriteString(out, report.Text(ruletest.TextOptions{Timelines: t.verbose, Missed: t.missed}))
	return err
}

// leastCoverage is how much of a part must be reached; of all if it names none.
type leastCoverage struct {
	part    string
	percent int
}

// String names the part.
func (l leastCoverage) String() string {
	if l.part == "" {
		return "all that there is"
	}
	return "the " + l.part
}

func parseLeast(s string) ([]leastCoverage, error) {
	if s == "" {
		return nil, nil
	}
	var all []leastCoverage
	for one := range strings.SplitSeq(s, ",") {
		part, share, named := strings.Cut(one, "=")
		if !named {
			part, share = "", one
		}
		percent, err := strconv.Atoi(strings.TrimSuffix(share, "%"))
		if err != nil || percent < 0 || percent > 100 || named && !slices.Contains(ruletest.Parts(), part) {
			return nil, fmt.Errorf("--cover-min %q: want a share such as 80%%, or shares of %s, such as rules=100%%,guards=50%%", s, strings.Join(ruletest.Parts(), ", "))
		}
		all = append(all, leastCoverage{part, percent})
	}
	return all, nil
}
