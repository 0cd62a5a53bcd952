package ruletest

import (
	"context"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// RunText runs a file of tests that is not on disk, for rules that are not either.
func RunText(ctx context.Context, path, text string, sources []engine.Source, o Options) (FileResult, error) {
	return runFile(ctx, path, text, func([]string) (*ruleFiles, rules.Findings, error) {
		files, findings := compileSources(sources, o.Catalog)
		return files, findings, nil
	}, o)
}
