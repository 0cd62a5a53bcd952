package main

import (
	"testing"

	"github.com/tripgen/paramedic/internal/web/webtest"
)

func TestTrigger(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	p := person{server: w.URL}
	p.runs(t, "trigger", webtest.Approved, "--label", "service=one", "--reason", "why").has(t, "on http/one is planning", "see paramedic runs show ")
	p.runs(t, "trigger", webtest.Auto, "--label", "service=two", "-o", "json").has(t, `"decided": true`, `"rule": "service-down"`)
	p.runs(t, "trigger", "none", "--label", "service=one").fails(t, `rule "none" cannot be set off by hand`)
	p.runs(t, "trigger", webtest.Auto).fails(t, "asks for the label service")
	p.runs(t, "trigger").fails(t, "arg")
}
