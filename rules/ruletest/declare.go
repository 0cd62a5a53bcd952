package ruletest

import (
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// ruleFiles are some rule files together, compiled.
type ruleFiles struct {
	sources []engine.Source
	set     *rules.Set
	// triggers are those of the rules that have one.
	triggers map[string]rules.Trigger
}

// compile is a loader: it reads rule files and compiles them for a catalogue.
func compile(c rules.Catalog) loader {
	return func(paths []string) (*ruleFiles, rules.Findings, error) {
		sources, err := rules.Load(paths...)
		if err != nil {
			return nil, nil, fmt.Errorf("the rules to be tested cannot be read: %w", err)
		}
		files, findings := compileSources(sources, c)
		return files, findings, nil
	}
}

func compileSources(sources []engine.Source, c rules.Catalog) (*ruleFiles, rules.Findings) {
	set, findings := rules.Parse(sources, c)
	if findings.Failed() {
		return nil, findings
	}
	files := &ruleFiles{sources: sources, set: set, triggers: map[string]rules.Trigger{}}
	for _, t := range set.Triggers() {
		files.triggers[t.Rule] = t
	}
	return files, findings
}
