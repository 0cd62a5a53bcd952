package azure

import (
	"context"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/remediators"
)

// runEnd waits for the end of a run of the pipeline's factory.
func (p place) runEnd(ctx context.Context, id string) (status, message string, err error) {
	for {
		var is struct {
			Status  string `json:"status"`
			Message string `json:"message"`
		}
		if err := p.get(ctx, "run "+id, p.factory()+"/pipelineruns/"+id, factoryVersion, nil, &is); err != nil {
			return "", "", err
		}
		switch is.Status {
		case succeeded, "Failed", "Cancelled":
			return is.Status, is.Message, nil
		}
		if !pause(ctx, p.poll) {
			return "", "", remediators.Retryable(0, "azure: %s: run %s goes on: %s", pipelineText(p), id, is.Status)
		}
	}
}

// runOf looks for the run that was given a task's id as a parameter; empty if there is
// none. It may not be listed yet, so none is no answer.
func (p place) runOf(ctx context.Context, named pipeline, parameter, task string) (string, error) {
	if parameter == "" {
		return "", nil
	}
	var runs struct {
		Value []struct {
			ID         string         `json:"runId"`
			Parameters map[string]any `json:"parameters"`
		} `json:"value"`
	}
	now := p.now().UTC()
	err := p.lookUp(ctx, "runs of "+pipelineText(p), p.factory()+"/queryPipelineRuns", factoryVersion, map[string]any{
		"lastUpdatedAfter":  now.Add(-activityBack).Format(time.RFC3339),
		"lastUpdatedBefore": now.Add(time.Minute).Format(time.RFC3339),
		"filters":           []any{map[string]any{"operand": "PipelineName", "operator": "Equals", "values": []string{named.Name}}},
	}, &runs)
	if err != nil {
		return "", err
	}
	for _, r := range runs.Value {
		if fmt.Sprint(r.Parameters[parameter]) == task {
			return r.ID, nil
		}
	}
	return "", nil
}
