package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/client"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/rules"
)

// explaining is one call of the command explain.
type explaining struct {
	rules            []string
	config           string
	kind, source     string
	ledger           string
	at, format, file string
}

func newExplainCmd() *cobra.Command {
	var x explaining
	cmd := &cobra.Command{
		Use:   "explain ALERT.json|- --rules FILE...",
		Short: "Say what each rule makes of an alert, and why",
		Long: `Shows, for each rule, every matcher with the label that it saw, the condition
taken apart, the target, which rule takes the alert, and what each guard says.

The file holds normalised alerts, as "paramedic decode" prints them, or with
--type alertmanager a webhook's body or one alert of it. In a normalised alert,
source, fingerprint, name and status may be left out.

Guards are asked about a run that begins now, in a world where nothing happened
yet. With --ledger, a file that "paramedic ledger export" wrote, they know what
the engine did.

Exit code 0: every alert sets off a rule, and every rule that is set off can be
evaluated, 3: not so, 1: it could not be explained.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			x.file = args[0]
			return x.run(cmd.InOrStdin(), cmd.OutOrStdout(), time.Now())
		},
	}
	cmd.Flags().StringSliceVar(&x.rules, "rules", nil, "rule files, or patterns")
	configured(cmd.Flags(), &x.config)
	cmd.Flags().StringVar(&x.kind, "type", "", "what the file is: a type of source such as alertmanager (default: normalised alerts)")
	cmd.Flags().StringVar(&x.source, "source", "alertmanager", "the source's name, for alerts that have none")
	cmd.Flags().StringVar(&x.ledger, "ledger", "", "an exported ledger, for what the guards know")
	cmd.Flags().StringVar(&x.at, "at", "", "the time, as 2026-03-02T09:00:00Z (default now)")
	cmd.Flags().StringVar(&x.format, "format", formatText, "text or json")
	return cmd
}

func (x explaining) run(in io.Reader, out io.Writer, now time.Time) error {
	if x.format != formatText && x.format != formatJSON {
		return fmt.Errorf("--format %q: want text or json", x.format)
	}
	if x.at != "" {
		var err error
		if now, err = time.Parse(time.RFC3339, x.at); err != nil {
			return fmt.Errorf("--at %q: want a time such as 2026-03-02T09:00:00Z", x.at)
		}
	}
	set, err := compiled(x.rules, x.config)
	if err != nil {
		return err
	}
	state, err := stateOf(x.ledger)
	if err != nil {
		return err
	}
	alerts, err := x.alerts(in, now)
	if err != nil {
		return err
	}
	explanations := make([]rules.Explanation, len(alerts))
	for i, a := range alerts {
		explanations[i] = set.Explain(a, now, guards(set, state, a, now))
	}
	return x.print(out, explanations)
}

// compiled is the rule set that the guards and the rules are asked in.
func compiled(names []string, config string) (*rules.Set, error) {
	if len(names) == 0 {
		return nil, errors.New("--rules is missing: name the rule files")
	}
	files, err := rules.Load(names...)
	if err != nil {
		return nil, err
	}
	catalog, err := buildCatalog(config)
	if err != nil {
		return nil, err
	}
	set, findings := rules.Parse(files, catalog)
	if err := findings.Err(); err != nil {
		return nil, fmt.Errorf("the rules do not compile:\n%w", err)
	}
	return set, nil
}

// stateOf folds an exported ledger; without one, nothing happened yet.
func stateOf(file string) (*engine.State, error) {
	fold := ledger.NewFold()
	if file == "" {
		return fold.State, nil
	}
	f, err := os.Open(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	next, err := client.Records(f, 1, func(seq uint64, data []byte) error {
		_, err := fold.Take(seq, data)
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", file, err)
	case next == 1:
		return nil, fmt.Errorf("%s: there is no record in it: export the ledger from the first record on", file)
	}
	return fold.State, nil
}

// only is the one rule set that there is.
type only struct{ set *rules.Set }

// Set implements [engine.Sets].
func (o only) Set(digest string) (engine.RuleSet, bool) { return o.set, digest == o.set.Digest() }

// guards asks the engine's own guards, under the rules at hand whichever the
// ledger had in force.
func guards(set *rules.Set, state *engine.State, a alert.Alert, now time.Time) rules.Judge {
	state.RuleSet = set.Digest()
	return func(r *engine.Rule, t engine.Target) []engine.Verdict {
		return engine.Verdicts(only{set}, state, now, r, t, a, nil)
	}
}

func (x explaining) print(out io.Writer, all []rules.Explanation) error {
	answered := true
	for i, e := range all {
		answered = answered && e.Answered()
		if x.format == formatJSON {
			continue
		}
		if i > 0 {
			if err := say(out, ""); err != nil {
				return err
			}
		}
		if _, err := io.WriteString(out, e.Format()); err != nil {
			return err
		}
	}
	if x.format == formatJSON {
		if err := printJSON(out, all, true); err != nil {
			return err
		}
	}
	if !answered {
		return errFindings
	}
	return nil
}
