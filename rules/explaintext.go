package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/explain"
)

// Format is the explanation for a person. What senders wrote is made safe for a
// terminal.
func (e Explanation) Format() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Alert %s of %s, %s", explain.Clean(e.Alert.Name), explain.Clean(e.Alert.Source), e.Alert.Status)
	if e.Alert.Severity != "" {
		fmt.Fprintf(&b, ", severity %s", explain.Clean(e.Alert.Severity))
	}
	fmt.Fprintf(&b, ", at %s\n", e.At.UTC().Format(time.RFC3339))
	if e.Note != "" {
		b.WriteString(e.Note + "\n")
	}
	switch {
	case e.TakenBy == "":
		b.WriteString("Taken by no rule that acts.\n")
	case slices.ContainsFunc(e.Rules, func(r RuleExplanation) bool { return r.Rule == e.TakenBy && r.Result == ResultFails }):
		fmt.Fprintf(&b, "Taken by no rule that acts: rule %s fails on it, and those behind do not get it.\n", e.TakenBy)
	default:
		fmt.Fprintf(&b, "Taken by rule %s.\n", e.TakenBy)
	}
	for _, r := range e.Rules {
		b.WriteString("\n")
		r.format(&b)
	}
	return b.String()
}

func (r RuleExplanation) format(b *strings.Builder) {
	fmt.Fprintf(b, "%s  (%s:%d, mode %s): %s\n  %s\n", r.Rule, r.File, r.Line, r.Mode, resultText(r.Result), explain.Clean(r.Why))
	for _, m := range r.Matchers {
		fmt.Fprintf(b, "  %s matcher %s: %s\n", mark(m.Holds), explain.Clean(m.Matcher), explain.Clean(m.saw()))
	}
	if r.When != nil {
		fmt.Fprintf(b, "  %s when %s\n", r.When.mark(), r.When.line())
		r.When.formatParts(b, 2)
	}
	for _, u := range r.Unless {
		fmt.Fprintf(b, "    unless %s\n", explain.Clean(u))
	}
	if r.Group != "" {
		fmt.Fprintf(b, "    group  %s\n", explain.Clean(r.Group))
	}
	if r.Target != "" {
		fmt.Fprintf(b, "    target %s\n", explain.Clean(r.Target))
	}
	for _, g := range r.Guards {
		formatVerdict(b, g)
	}
}

func resultText(r Result) string {
	switch r {
	case ResultTakes:
		return "TAKES the alert"
	case ResultRecords:
		return "records the alert"
	case ResultFails:
		return "FAILS"
	case ResultBehind:
		return "does not get it"
	case ResultNotFor:
	}
	return "not for this alert"
}

func mark(holds bool) string {
	if holds {
		return "+"
	}
	return "-"
}

func (c Condition) mark() string {
	switch c.Verdict {
	case VerdictTrue:
		return "+"
	case VerdictFalse:
		return "-"
	case VerdictError:
	}
	return "!"
}

// line is a condition with its verdict and what it saw.
func (c Condition) line() string {
	s := explain.Clean(c.Text) + "  →  " + string(c.Verdict)
	if c.Error != "" {
		s += ": " + explain.Clean(c.Error)
	}
	saw := make([]string, len(c.Saw))
	for i, v := range c.Saw {
		saw[i] = explain.Clean(v.Expression + " is " + v.Value)
		if v.Missing {
			saw[i] = explain.Clean(v.Expression) + " is missing"
		}
	}
	if len(saw) > 0 {
		s += " (" + strings.Join(saw, ", ") + ")"
	}
	return s
}

func (c Condition) formatParts(b *strings.Builder, depth int) {
	for _, p := range c.Parts {
		fmt.Fprintf(b, "%s%s %s\n", strings.Repeat("  ", depth), p.mark(), p.line())
		p.formatParts(b, depth+1)
	}
}

func formatVerdict(b *strings.Builder, g engine.Verdict) {
	says := "lets it pass"
	switch {
	case g.Held:
		says = "HOLDS"
	case g.Unknown:
		says = "not known yet"
	}
	fmt.Fprintf(b, "    guard  %-10s %s", g.Guard, says)
	if g.Reason != "" {
		fmt.Fprintf(b, ": %s", explain.Clean(g.Reason))
	}
	if !g.Until.IsZero() {
		fmt.Fprintf(b, ", until %s", g.Until.UTC().Format(time.RFC3339))
	}
	b.WriteString("\n")
}
