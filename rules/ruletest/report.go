package ruletest

import (
	"time"

	"github.com/tripgen/paramedic/rules"
)

// Report is what came of some files of tests.
type Report struct {
	Files    []FileResult `json:"files"`
	Coverage Coverage     `json:"coverage"`
}

// FileResult is what came of one file.
type FileResult struct {
	File string `json:"file"`
	// Name is the file's metadata.name.
	Name string `json:"name,omitempty"`
	// Findings say what is wrong in the file or its rules. If there is an error among
	// them, its tests were not run.
	Findings rules.Findings `json:"findings,omitempty"`
	Tests    []TestResult   `json:"tests,omitempty"`
	coverage Coverage
}

// TestResult is what came of one test.
type TestResult struct {
	Name string `json:"name"`
	Line int    `json:"line"`
	// Failures are empty if it passed.
	Failures []Failure `json:"failures,omitempty"`
	// Timeline is all that followed.
	Timeline []Moment `json:"timeline"`
	// Expect are the lines of expect, and where each was met.
	Expect []Line `json:"expect,omitempty"`
	// Took is how long the test ran, of the real time; zero if it was not measured.
	Took time.Duration `json:"took,omitempty"`
}

// Failure is one way in which a test did not go as it should.
type Failure struct {
	File string `json:"file"`
	Line int    `json:"line"`
	// Column is zero if it is about the line as a whole.
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	// Expected is the line that was not met.
	Expected string `json:"expected,omitempty"`
	// Nearest is what came nearest to it, and how that differs.
	Nearest string `json:"nearest,omitempty"`
}

// Line is one line of expect.
type Line struct {
	Line int    `json:"line"`
	Text string `json:"text"`
	Met  bool   `json:"met"`
	// At is when it was met.
	At string `json:"at,omitempty"`
}

// Moment is one event of the engine.
type Moment struct {
	// At is the virtual time since the start, as a test writes it; Since is the same
	// in nanoseconds.
	At    string        `json:"at"`
	Since time.Duration `json:"since"`
	// Event is its kind in the ledger, Sentence says it to a person.
	Event    string `json:"event"`
	Rule     string `json:"rule,omitempty"`
	Sentence string `json:"sentence"`
	// Again says that the run is still held as it was before.
	Again bool `json:"again,omitempty"`
	// Lines are those of expect that it meets.
	Lines []int `json:"lines,omitempty"`
}

// Passed reports whether the test went as it should.
func (t TestResult) Passed() bool { return len(t.Failures) == 0 }

// Count is how many tests passed and failed, and how many files could not be run.
func (r Report) Count() (passed, failed, broken int) {
	for _, f := range r.Files {
		if f.Findings.Failed() {
			broken++
		}
		for _, t := range f.Tests {
			if t.Passed() {
				passed++
			} else {
				failed++
			}
		}
	}
	return passed, failed, broken
}
