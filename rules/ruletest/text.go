package ruletest

import (
	"fmt"
	"strconv"
	"strings"
)

// TextOptions say how much [Report.Text] tells.
type TextOptions struct {
	// Timelines also shows what happened in the tests that passed.
	Timelines bool
	// Missed lists what no test reached.
	Missed bool
}

// Text is the report for a person.
func (r Report) Text(o TextOptions) string {
	var b strings.Builder
	for _, f := range r.Files {
		b.WriteString(f.Findings.Format())
		for _, t := range f.Tests {
			switch {
			case !t.Passed():
				f.failed(&b, t)
			case o.Timelines:
				fmt.Fprintf(&b, "pass  %s:%d  %s\n", f.File, t.Line, t.Name)
				t.timeline(&b)
			}
		}
		f.summary(&b)
	}
	r.covered(&b, o.Missed)
	return b.String()
}

func (f FileResult) summary(b *strings.Builder) {
	failed := 0
	for _, t := range f.Tests {
		if !t.Passed() {
			failed++
		}
	}
	switch {
	case f.Findings.Failed():
		fmt.Fprintf(b, "could not run  %s\n", f.File)
	case failed > 0:
		fmt.Fprintf(b, "FAIL  %s: %d of %d tests failed\n", f.File, failed, len(f.Tests))
	case len(f.Tests) > 0:
		fmt.Fprintf(b, "ok    %s: %s\n", f.File, counted(len(f.Tests), "test"))
	}
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// failed tells of a test that failed: each failure, what was expected, and what
// happened.
func (f FileResult) failed(b *strings.Builder, t TestResult) {
	fmt.Fprintf(b, "FAIL  %s:%d  %s\n", f.File, t.Line, t.Name)
	for _, failure := range t.Failures {
		fmt.Fprintf(b, "  %s\n", failure)
		if failure.Expected != "" {
			fmt.Fprintf(b, "    expected  %s\n", failure.Expected)
		}
		if failure.Nearest != "" {
			fmt.Fprintf(b, "    nearest   %s\n", failure.Nearest)
		}
	}
	if len(t.Expect) > 0 {
		b.WriteString("  expected:\n")
	}
	reached := true
	for _, l := range t.Expect {
		state := "not reached"
		switch {
		case l.Met:
			state = "met at " + l.At
		case reached:
			state, reached = "MISSING", false
		}
		fmt.Fprintf(b, "    line %-4d %-12s %s\n", l.Line, state, l.Text)
	}
	b.WriteString("  happened:\n")
	t.timeline(b)
}

// String is the failure in one line.
func (f Failure) String() string {
	where := fmt.Sprintf("%s:%d", f.File, f.Line)
	if f.Column > 0 {
		where += fmt.Sprintf(":%d", f.Column)
	}
	return where + ": " + f.Message
}

// The events that say nothing to whoever reads a timeline.
func isNoise(event string) bool { return event == "state.pruned" || event == "alert.repeated" }

// timeline shows what happened, beside the lines of expect that it met.
func (t TestResult) timeline(b *strings.Builder) {
	last := ""
	for i, m := range t.Timeline {
		if i == 0 || m.Again || isNoise(m.Event) {
			continue // the first is that the rules are in force
		}
		met := ""
		for i, l := range m.Lines {
			if met += ", "; i == 0 {
				met = "line "
			}
			met += strconv.Itoa(l)
		}
		at := m.At
		if at == last {
			at = ""
		}
		last = m.At
		fmt.Fprintf(b, "    %8s  %-9s %s\n", at, met, m.Sentence)
	}
	if last == "" {
		b.WriteString("    nothing\n")
	}
}

func (r Report) covered(b *strings.Builder, missed bool) {
	if _, all := r.Coverage.Count(""); all == 0 {
		return
	}
	var parts []string
	for _, part := range Parts() {
		reached, all := r.Coverage.Count(part)
		parts = append(parts, fmt.Sprintf("%d of %s", reached, counted(all, strings.TrimSuffix(part, "s"))))
	}
	fmt.Fprintf(b, "reached: %s; %d%% of all\n", strings.Join(parts, ", "), r.Coverage.Percent(""))
	if missed {
		for _, i := range r.Coverage.Missed() {
			fmt.Fprintf(b, "  %s\n", i)
		}
	}
}
