package backtest

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/explain"
)

// The most of each list that the text shows; JSON has all.
const (
	mostTextActs      = 50
	mostTextUnmatched = 20
	mostTextChanges   = 100
)

// WriteJSON prints a report for programs.
func WriteJSON(out io.Writer, r *Report) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// WriteText prints a report for a terminal. What alerts say is made safe for it.
func WriteText(out io.Writer, r *Report) error {
	p := &printer{}
	p.head(r)
	p.rules(r)
	p.acts(r)
	p.holds(r)
	p.budgets(r)
	p.others(r)
	if r.Against != nil {
		p.difference(r.Against)
	}
	p.notes(r)
	_, err := io.WriteString(out, p.String())
	return err
}

type printer struct{ strings.Builder }

func (p *printer) line(format string, args ...any) {
	for i, a := range args {
		if s, ok := a.(string); ok {
			args[i] = explain.Clean(s)
		}
	}
	_, _ = fmt.Fprintf(p, format+"\n", args...) // a Builder takes everything
}

func (p *printer) table(rows [][]string) {
	w := tabwriter.NewWriter(p, 0, 4, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = explain.Clean(cell)
		}
		_, _ = fmt.Fprintln(w, "  "+strings.Join(row, "\t")) // a Builder takes everything
	}
	_ = w.Flush()
}

func (p *printer) head(r *Report) {
	what := "What would have been done under"
	if r.Replayed {
		what = "What was decided under"
	}
	p.line("%s %s%s", what, nameOf(r.Rules), inMode(r.Mode))
	p.line("%s to %s, from %s", moment(r.From), moment(r.Until), r.Source.From)
	p.line("%d inputs, %d alerts in %d deliveries, %d firings began", r.Read.Inputs, r.Read.Samples, r.Read.Deliveries, r.Read.Episodes)
	a := r.All
	p.line("")
	p.line("%d runs; %d attempts would have acted, %d more are what shadow rules would have done; %d approvals asked, %d escalations.",
		a.Runs, a.Acts, a.WouldActs, a.Approvals, a.Escalations)
	p.line("%d firings ended before anything began for them. %s", a.SelfCured, race(a))
	if a.Busiest.Acts > 0 {
		p.line("Busiest hour: %s, %d attempts.", moment(a.Busiest.Start), a.Busiest.Acts)
	}
}

func nameOf(rules string) string {
	if rules == "" {
		return "the recorded rules"
	}
	return rules
}

func inMode(m engine.Mode) string {
	if m == "" {
		return ""
	}
	return ", every rule in mode " + string(m)
}

// race says what came first.
func race(r Rule) string {
	switch {
	case r.ToResolve.Of == 0 && r.ToAct.Of == 0:
		return "None was seen to end."
	case r.ToAct.Of == 0:
		return fmt.Sprintf("Median time to resolve: %s.", brief(r.ToResolve.Value))
	case r.ToResolve.Of == 0:
		return fmt.Sprintf("Median time to act: %s.", brief(r.ToAct.Value))
	}
	return fmt.Sprintf("Median time to resolve: %s, to act: %s.", brief(r.ToResolve.Value), brief(r.ToAct.Value))
}

func (p *printer) rules(r *Report) {
	p.line("\nRules")
	rows := [][]string{{"RULE", "MODE", "FIRINGS", "RUNS", "ACTS", "WOULD", "HELD", "APPROVALS", "ESCALATED", "SELF-CURED", "TO RESOLVE", "TO ACT", "ENDS"}}
	for _, rule := range slices.Concat(r.PerRule, []Rule{r.All}) {
		name := rule.Name
		if name == "" {
			name = "ALL"
		}
		rows = append(rows, []string{
			name, string(rule.Mode), num(rule.Episodes), num(rule.Runs), num(rule.Acts), num(rule.WouldActs), num(held(rule.Holds)),
			num(rule.Approvals), num(rule.Escalations), num(rule.SelfCured), of(rule.ToResolve), of(rule.ToAct), ends(rule),
		})
	}
	p.table(rows)
}

func num(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func of(m Median) string {
	if m.Of == 0 {
		return "-"
	}
	return brief(m.Value)
}

func held(holds []Hold) int {
	n := 0
	for _, h := range holds {
		n += h.Times + h.Would
	}
	return n
}

func ends(r Rule) string {
	var parts []string
	for _, o := range outcomes() {
		if n := r.Outcomes[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", o, n))
		}
	}
	if r.Unfinished > 0 {
		parts = append(parts, fmt.Sprintf("unfinished %d", r.Unfinished))
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ")
}

// outcomes are the ends of a run in the order in which they are told.
func outcomes() []engine.RunFinal {
	return []engine.RunFinal{
		engine.Cured, engine.Restored, engine.Uncured, engine.SelfResolved, engine.Shadowed, engine.Observed, engine.HeldBack, engine.Denied,
		engine.Unapproved, engine.Undetermined, engine.Merged, engine.Cancelled,
	}
}

func (p *printer) acts(r *Report) {
	if len(r.Acts) == 0 {
		return
	}
	p.line("\nAttempts that would have acted")
	rows := make([][]string, 0, mostTextActs)
	for i, a := range r.Acts {
		if i == mostTextActs {
			break
		}
		rows = append(rows, []string{moment(a.At), a.Rule, attemptOf(a), a.Target, strings.Join(a.Actions, ", "), a.Alert})
	}
	p.table(rows)
	if more := len(r.Acts) - mostTextActs; more > 0 {
		p.line("  and %d more: --format json has all", more)
	}
}

func attemptOf(a Act) string {
	if a.Would {
		return fmt.Sprintf("#%d (%s)", a.Attempt, a.Mode)
	}
	return fmt.Sprintf("#%d", a.Attempt)
}

func (p *printer) holds(r *Report) {
	rows := [][]string{{"RULE", "GUARD", "TIMES", "IN ALL", "LONGEST", "WOULD HAVE"}}
	for _, rule := range r.PerRule {
		for _, h := range rule.Holds {
			rows = append(rows, []string{rule.Name, h.Guard, num(h.Times), brief(h.Total), brief(h.Longest), num(h.Would)})
		}
	}
	if len(rows) > 1 {
		p.line("\nHolds")
		p.table(rows)
	}
}

func (p *printer) budgets(r *Report) {
	rows := [][]string{{"BUDGET", "OF", "PEAK", "LIMIT", "AT", "UNDER REPAIR", "LIMIT"}}
	for _, b := range r.Budgets {
		limit, at := "-", "-"
		if b.Limit > 0 {
			limit, at = fmt.Sprintf("%d in %s", b.Limit, brief(b.Per)), moment(b.PeakAt)
		}
		rows = append(rows, []string{b.Name, b.Key, num(b.Peak), limit, at, num(b.Concurrent), num(b.ConcurrentLimit)})
	}
	if len(rows) > 1 {
		p.line("\nBudgets, at their peaks")
		p.table(rows)
	}
}

func (p *printer) others(r *Report) {
	if len(r.Unmatched) > 0 {
		p.line("\nAlerts that no rule is for")
		rows := [][]string{}
		for i, u := range r.Unmatched {
			if i == mostTextUnmatched {
				break
			}
			rows = append(rows, []string{num(u.Episodes), u.Alert})
		}
		p.table(rows)
		if more := len(r.Unmatched) - mostTextUnmatched; more > 0 {
			p.line("  and %d names more", more)
		}
	}
	if len(r.Errors) > 0 {
		p.line("\nRule errors")
		for _, e := range r.Errors {
			p.line("  %s: %s (%d times, first at %s)", e.Rule, e.Reason, e.Times, moment(e.First))
		}
	}
}

func (p *printer) difference(d *Difference) {
	p.line("\nAgainst %s", nameOf(d.Rules))
	if len(d.Changes) == 0 {
		p.line("  no difference")
		return
	}
	rows := [][]string{{"RULE", "GAINED", "LOST", "MOVED", "CHANGED", "HOLDS"}}
	for _, c := range d.PerRule {
		rows = append(rows, []string{c.Rule, num(c.Gained), num(c.Lost), num(c.Moved), num(c.Changed), num(c.Holds)})
	}
	p.table(rows)
	p.line("")
	rows = rows[:0]
	for i, c := range d.Changes {
		if i == mostTextChanges {
			break
		}
		rows = append(rows, []string{moment(c.At), string(c.Kind), c.Rule, fmt.Sprintf("#%d", c.Attempt), changeOf(c)})
	}
	p.table(rows)
	if more := len(d.Changes) - mostTextChanges; more > 0 {
		p.line("  and %d more: --format json has all", more)
	}
}

// changeOf says what changed in one line.
func changeOf(c Change) string {
	switch c.Kind {
	case ActGained, ActLost:
		a := firstOf(c.Is, c.Was)
		return fmt.Sprintf("%s of %s, for %s", strings.Join(a.Actions, ", "), a.Target, a.Alert)
	case ActMoved:
		return fmt.Sprintf("%s of %s, by %s", strings.Join(c.Is.Actions, ", "), c.Is.Target, signed(c.By))
	case ActChanged:
		return fmt.Sprintf("%s, was %s", actIs(c.Is), actIs(c.Was))
	case HoldChanged:
		return fmt.Sprintf("held by %s, was %s, for %s", list(c.IsHeld), list(c.WasHeld), c.Episode)
	}
	return ""
}

func actIs(a *Act) string {
	text := strings.Join(a.Actions, ", ") + " of " + a.Target
	if a.Would {
		text += " (" + string(a.Mode) + ")"
	}
	return text
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

func (p *printer) notes(r *Report) {
	notes := notesOf(r)
	if len(notes) == 0 {
		return
	}
	p.line("\nWhat this rests on")
	for _, n := range notes {
		p.line("  - %s", n)
	}
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// brief is a duration without what nobody reads.
func brief(d time.Duration) string {
	switch {
	case d == 0:
		return "-"
	case d >= time.Hour:
		d = d.Round(time.Minute)
	default:
		d = d.Round(time.Second)
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func signed(d time.Duration) string {
	if d > 0 {
		return brief(d) + " later"
	}
	return brief(-d) + " earlier"
}
