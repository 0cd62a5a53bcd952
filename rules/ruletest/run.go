package ruletest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tripgen/paramedic/rules"
)

// Options say how tests are run.
type Options struct {
	// Catalog is what rules may call.
	Catalog rules.Catalog
	// Run chooses tests by "metadata.name/test's name"; nil runs all.
	Run *regexp.Regexp
	// Now measures how long tests take; nil does not.
	Now func() time.Time
}

// Find lists the files of tests that paths name: a file; all *_test.yaml that fit a
// pattern, as path/filepath.Match has them; or all in and below a folder. Patterns
// and folders leave out what is of another program: a file without the text
// "paramedic.dev/". A path that stands for none is an error.
func Find(paths ...string) ([]string, error) {
	if len(paths) == 0 {
		return nil, errors.New("no files of rule tests are given")
	}
	var all []string
	for _, p := range paths {
		found, err := find(p)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("no file of rule tests (*%s) is at %q", testSuffix, p)
		}
		all = append(all, found...)
	}
	return unique(all), nil
}

func find(p string) ([]string, error) {
	if strings.ContainsAny(p, `*?[`) {
		found, err := filepath.Glob(p)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", p, err)
		}
		return ours(slices.DeleteFunc(found, func(name string) bool { return !strings.HasSuffix(name, testSuffix) }))
	}
	info, err := os.Stat(p)
	if err != nil {
		return nil, fmt.Errorf("rule tests: %w", err)
	}
	if !info.IsDir() {
		if beside := strings.TrimSuffix(p, ".yaml") + testSuffix; !strings.HasSuffix(p, testSuffix) {
			if _, err := os.Stat(beside); err == nil {
				return nil, fmt.Errorf("%s is a file of rules: its tests are in %s", p, beside)
			}
		}
		return []string{filepath.Clean(p)}, nil
	}
	var found []string
	err = filepath.WalkDir(p, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(name, testSuffix) {
			found = append(found, name)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("rule tests: %w", err)
	}
	return ours(found)
}

// ours leaves out the files of another program: promtool's tests of Prometheus'
// rules have the same names.
func ours(names []string) ([]string, error) {
	group, _, _ := strings.Cut(rules.APIVersion, "/")
	var found []string
	for _, name := range names {
		text, err := os.ReadFile(name) //nolint:gosec // the operator names the folder
		if err != nil {
			return nil, fmt.Errorf("rule tests: %w", err)
		}
		if len(bytes.TrimSpace(text)) == 0 || bytes.Contains(text, []byte(group+"/")) {
			found = append(found, name)
		}
	}
	return found, nil
}

// Run runs the tests of some files. An error is that they could not be run at all:
// no file, a file that cannot be read, no test that was chosen. What is wrong in a
// file is in its findings.
func Run(ctx context.Context, paths []string, o Options) (Report, error) {
	files, err := Find(paths...)
	if err != nil {
		return Report{}, err
	}
	var report Report
	tests := 0
	for _, name := range files {
		text, err := os.ReadFile(name) //nolint:gosec // the operator names the files
		if err != nil {
			return Report{}, fmt.Errorf("rule tests: %w", err)
		}
		f, err := runFile(ctx, filepath.ToSlash(name), string(text), compile(o.Catalog), o)
		if err != nil {
			return Report{}, err
		}
		tests += len(f.Tests)
		report.Files = append(report.Files, f)
		report.Coverage = report.Coverage.and(f.coverage)
	}
	if _, _, broken := report.Count(); tests == 0 && broken == 0 {
		return Report{}, fmt.Errorf("no test's name fits %q", o.Run)
	}
	return report, nil
}

func runFile(ctx context.Context, path, text string, load loader, o Options) (FileResult, error) {
	result := FileResult{File: path}
	f, findings := parse(path, text, newVocabulary(o.Catalog), load)
	result.Findings = findings
	if f == nil {
		return result, nil
	}
	result.Name = f.name
	r := newReached()
	for _, t := range f.tests {
		if o.Run != nil && !o.Run.MatchString(f.name+"/"+t.name) {
			continue
		}
		one, err := runTest(ctx, f, t, r, o.Now)
		if err != nil {
			return result, err
		}
		result.Tests = append(result.Tests, one)
	}
	result.coverage = coverage(f.rules, r)
	return result, nil
}

func runTest(ctx context.Context, f *file, t *test, r *reached, now func() time.Time) (TestResult, error) {
	var began time.Time
	if now != nil {
		began = now()
	}
	result := TestResult{Name: t.name, Line: t.line}
	s, err := play(ctx, f, t, r)
	if ctx.Err() != nil {
		return result, err
	}
	result.Failures = s.judge()
	if err != nil {
		result.Failures = append(result.Failures, Failure{File: f.path, Line: t.line, Message: err.Error()})
	}
	result.Timeline = s.recorder.timeline
	result.Expect = s.lines()
	if now != nil {
		result.Took = now().Sub(began)
	}
	return result, nil
}

// lines are those of expect, and where they were met.
func (s *stage) lines() []Line {
	found := inOrder(s.test.expect, s.recorder.happenings)
	all := make([]Line, len(s.test.expect))
	for i, e := range s.test.expect {
		all[i] = Line{Line: e.position.Line, Text: e.text, Met: i < len(found)}
		if i < len(found) {
			all[i].At = written(s.recorder.happenings[found[i]].at)
		}
	}
	return all
}
