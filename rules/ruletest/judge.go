package ruletest

import (
	"fmt"
	"slices"
	"strings"
)

// judge compares what a test expects with what happened.
func (s *stage) judge() []Failure {
	failures := slices.Clone(s.undone)
	all := s.recorder.happenings
	found := inOrder(s.test.expect, all)
	for i, j := range found {
		moment := &s.recorder.timeline[all[j].moment]
		moment.Lines = append(moment.Lines, s.test.expect[i].position.Line)
	}
	if len(found) < len(s.test.expect) {
		failures = append(failures, s.missing(found))
	}
	for _, e := range s.test.never {
		for _, h := range all {
			if e.fits(h) {
				f := s.failure(e, "this must never happen, and did "+s.sentence(h))
				f.Expected = "never " + e.text
				failures = append(failures, f)
				break
			}
		}
	}
	if len(found) == len(s.test.expect) {
		failures = append(failures, s.beyond(found)...)
	}
	return failures
}

func (s *stage) failure(e expectation, message string) Failure {
	return Failure{
		File: s.file.path, Line: e.position.Line, Column: e.position.Column, Expected: e.text, Message: message,
	}
}

func (s *stage) sentence(h happening) string {
	return fmt.Sprintf("at %s: %s", written(h.at), s.recorder.timeline[h.moment].Sentence)
}

// missing says which expectation is the first that is not met, and what comes
// nearest to it.
func (s *stage) missing(found []int) Failure {
	e := s.test.expect[len(found)]
	f := s.failure(e, "this did not happen")
	before := -1
	if len(found) > 0 {
		before = found[len(found)-1]
		f.Message += fmt.Sprintf(" after line %d", s.test.expect[len(found)-1].position.Line)
	}
	h, i, ok := nearest(e, s.recorder.happenings, before)
	if !ok {
		f.Nearest = "nothing of the kind " + e.kind + " happened" + s.standing()
		return f
	}
	why := e.differences(h)
	if i < before || i == before && len(why) == 0 {
		why = append(why, fmt.Sprintf("it came before what line %d has", s.test.expect[len(found)-1].position.Line))
	}
	if len(why) == 0 {
		if e.within != nil {
			why = append(why, fmt.Sprintf("it came later than %s after the line before", written(*e.within)))
		}
	}
	f.Nearest = fmt.Sprintf("%s: %s", h, strings.Join(why, "; "))
	return f
}

// standing says what the runs still do at the end.
func (s *stage) standing() string {
	runs := s.play.State().ActiveRuns()
	if len(runs) == 0 {
		return ""
	}
	r := runs[0]
	words := fmt.Sprintf("; at the end the run of rule %s on %s is %s", r.Rule, targetOf(r), r.Phase)
	if r.Why != "" {
		words += ": " + r.Why
	}
	return words
}

// beyond finds what happened of the kinds of which only what is expected may.
func (s *stage) beyond(found []int) []Failure {
	var failures []Failure
	for i, h := range s.recorder.happenings {
		if !s.test.only[h.kind] || slices.Contains(found, i) {
			continue
		}
		failures = append(failures, Failure{
			File: s.file.path, Line: s.test.line, Message: fmt.Sprintf("of the kind %s only what expect has may happen, and this did %s", h.kind, s.sentence(h)),
		})
	}
	return failures
}
