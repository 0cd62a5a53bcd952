package ruletest

import (
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// The JUnit XML that CI systems read. Source: the format as the Ant task junit
// writes it, and as Jenkins, GitLab and Azure DevOps document what they read.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		File     string      `xml:"file,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr,omitempty"`
		Time    string        `xml:"time,attr"`
		Failure *junitMessage `xml:"failure"`
		Error   *junitMessage `xml:"error"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit is the report as JUnit XML. A file that could not be run is a test case with
// an error.
func (r Report) JUnit() ([]byte, error) {
	all := junitSuites{}
	var total time.Duration
	for _, f := range r.Files {
		s, took := f.junit()
		all.Tests, all.Failures, all.Errors = all.Tests+s.Tests, all.Failures+s.Failures, all.Errors+s.Errors
		total += took
		all.Suites = append(all.Suites, s)
	}
	all.Time = seconds(total)
	b, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("ruletest: junit: %w", err)
	}
	return append([]byte(xml.Header), append(b, '\n')...), nil
}

func (f FileResult) junit() (junitSuite, time.Duration) {
	name := f.Name
	if name == "" {
		name = f.File
	}
	s := junitSuite{Name: name, File: f.File}
	var total time.Duration
	if f.Findings.Failed() {
		s.Tests, s.Errors = 1, 1
		s.Cases = append(s.Cases, junitCase{Name: "read", Class: name, File: f.File, Time: seconds(0), Error: &junitMessage{
			Message: f.Findings[0].String(), Type: "findings", Text: f.Findings.Format(),
		}})
	}
	for _, t := range f.Tests {
		c := junitCase{Name: t.Name, Class: name, File: f.File, Line: t.Line, Time: seconds(t.Took)}
		s.Tests++
		total += t.Took
		if !t.Passed() {
			var b strings.Builder
			f.failed(&b, t)
			s.Failures++
			c.Failure = &junitMessage{Message: t.Failures[0].String(), Type: "expectation", Text: b.String()}
		}
		s.Cases = append(s.Cases, c)
	}
	s.Time = seconds(total)
	return s, total
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
