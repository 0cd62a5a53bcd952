package azure

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// DataFactoryRun runs a pipeline of an Azure Data Factory and waits for its end. The
// rule's target is the factory, or the pipeline itself; the canonical one is the
// pipeline.
//
// Azure runs a pipeline as often as it is asked to
// (https://learn.microsoft.com/rest/api/datafactory/pipelines/create-run). The run's id
// is kept as soon as Azure gives it. A call without an answer is found among the runs
// only where the pipeline takes the task's id as a parameter.
type DataFactoryRun struct{ accounts Accounts }

// NewDataFactoryRun makes the action.
func NewDataFactoryRun(accounts Accounts) *DataFactoryRun { return &DataFactoryRun{accounts} }

const (
	kindFactory    = "Microsoft.DataFactory/factories"
	kindPipeline   = kindFactory + "/pipelines"
	factoryVersion = "2018-06-01"
)

// Spec implements [remediators.Remediator].
func (*DataFactoryRun) Spec() remediators.Spec {
	return remediators.Spec{
		Name:    "azure.datafactory.run",
		System:  engine.SystemAzure,
		Summary: "Runs a pipeline of an Azure Data Factory, and waits until it has succeeded.",
		Params: json.RawMessage(`{
  "type": "object",
  "additionalProperties": false,
  "required": ["pipeline"],
  "properties": {
    "pipeline": {"type": "string", "minLength": 1, "description": "The pipeline's name in the factory."},
    "parameters": {"type": "object", "description": "The pipeline's parameters, each of which it must declare."},
    "taskParameter": {"type": "string", "minLength": 1, "description": "A parameter of the pipeline that is given the task's id, by which the run is found after a crash."},
    "wait": {"type": "boolean", "default": true, "description": "Until the run has ended; one that does not succeed is asked a person about."}
  }
}`),
	}
}

type runParams struct {
	Pipeline      string                     `json:"pipeline"`
	Parameters    map[string]json.RawMessage `json:"parameters"`
	TaskParameter string                     `json:"taskParameter"`
	Wait          *bool                      `json:"wait"`
}

func (p runParams) waits() bool { return p.Wait == nil || *p.Wait }

func runParamsOf(t engine.Task) (runParams, error) {
	var p runParams
	if err := decodeParams(t, &p); err != nil {
		return p, err
	}
	if p.Pipeline == "" {
		return p, badParams(t, "pipeline is missing: want the name of one in the factory")
	}
	if _, both := p.Parameters[p.TaskParameter]; both {
		return p, badParams(t, "taskParameter %s is given a value in parameters, too", p.TaskParameter)
	}
	return p, nil
}

// at is the pipeline that a task is about.
func (d *DataFactoryRun) at(t engine.Task, p runParams) (place, error) {
	at, err := d.accounts.at(t.Target, kindFactory, kindPipeline)
	switch {
	case err != nil:
	case strings.EqualFold(at.id.ResourceType.String(), kindFactory):
		return d.accounts.at(at.target("pipelines", p.Pipeline), kindPipeline)
	case !strings.EqualFold(at.id.Name, p.Pipeline):
		err = badParams(t, "pipeline is %q, but the target is the pipeline %s", p.Pipeline, at.id.Name)
	}
	return at, err
}

func pipelineText(at place) string {
	return "pipeline " + at.id.Name + " of " + at.id.Parent.Name + " in " + at.name
}

// Plan implements [remediators.Remediator].
func (d *DataFactoryRun) Plan(ctx context.Context, t engine.Task) (engine.Plan, error) {
	params, err := runParamsOf(t)
	if err != nil {
		return engine.Plan{}, err
	}
	at, err := d.at(t, params)
	if err != nil {
		return engine.Plan{}, err
	}
	var is struct {
		Name       string `json:"name"`
		Properties struct {
			Parameters map[string]json.RawMessage `json:"parameters"`
		} `json:"properties"`
	}
	what := pipelineText(at)
	if err := at.get(ctx, what, at.path(kindPipeline), factoryVersion, nil, &is); err != nil {
		return engine.Plan{}, err
	}
	given := slices.Sorted(maps.Keys(params.Parameters))
	if params.TaskParameter != "" {
		given = append(given, params.TaskParameter)
	}
	for _, name := range given {
		if _, declared := is.Properties.Parameters[name]; !declared {
			return engine.Plan{}, remediators.Terminal("azure: %s declares no parameter %q, but %s", what, name,
				strings.Join(slices.Sorted(maps.Keys(is.Properties.Parameters)), ", "))
		}
	}
	// Azure's own spelling: the filter of a query for runs tells small letters from others.
	named, err := json.Marshal(pipeline{Name: is.Name})
	if err != nil || is.Name == "" {
		return engine.Plan{}, remediators.Retryable(0, "azure: %s: the answer has no name", what)
	}
	p := engine.Plan{Target: at.target(), Summary: "run " + what, Precondition: named}
	if len(given) > 0 {
		p.Summary += " with " + strings.Join(given, ", ")
	}
	return p, nil
}

// pipeline is the precondition of this action's plans.
type pipeline struct {
	Name string `json:"pipeline"`
}

// found is what a plan is about.
func (d *DataFactoryRun) found(t engine.Task, p engine.Plan) (place, pipeline, runParams, error) {
	var named pipeline
	params, err := runParamsOf(t)
	if err != nil {
		return place{}, named, params, err
	}
	at, err := d.accounts.at(p.Target, kindPipeline)
	if err != nil {
		return at, named, params, err
	}
	if err := json.Unmarshal(p.Precondition, &named); err != nil || !strings.EqualFold(named.Name, at.id.Name) {
		return at, named, params, remediators.Terminal("azure: plan for %s: precondition %q does not name the pipeline", p.Target, p.Precondition)
	}
	return at, named, params, nil
}

// factory is the path of the factory that a pipeline is in.
func (p place) factory() string {
	return place{Account: p.Account, name: p.name, id: p.id.Parent}.path(kindFactory)
}

// runID is what a run is called; it becomes a part of a URL.
var runID = regexp.MustCompile(`^[0-9a-zA-Z-]{8,64}$`)

// run is what a checkpoint of this action holds.
type run struct {
	ID string `json:"run"`
}

// Execute implements [remediators.Remediator].
func (d *DataFactoryRun) Execute(ctx context.Context, t engine.Task, p engine.Plan) (engine.Outcome, error) {
	at, named, params, err := d.found(t, p)
	if err != nil {
		return engine.Outcome{}, err
	}
	what := pipelineText(at)
	body := make(map[string]any, len(params.Parameters)+1)
	for name, value := range params.Parameters {
		body[name] = value
	}
	if params.TaskParameter != "" {
		body[params.TaskParameter] = t.ID
	}
	changing, sent := once(ctx, t.ID)
	resp, err := at.send(changing, request{method: http.MethodPost, path: at.factory() + "/pipelines/" + url.PathEscape(named.Name) + "/createRun", version: factoryVersion, body: body})
	if err != nil {
		return engine.Outcome{}, at.changeFailed(what, sent.Load(), err)
	}
	defer func() { _ = resp.Body.Close() }() // the SDK has read it
	var started struct {
		ID string `json:"runId"`
	}
	answer, err := runtime.Payload(resp)
	if err == nil {
		err = json.Unmarshal(answer, &started)
	}
	if err != nil || !runID.MatchString(started.ID) {
		return engine.Outcome{}, remediators.UnknownOutcome("azure: %s: answered with success, but without the id of a run", what)
	}
	if !params.waits() {
		return engine.Outcome{Summary: "started run " + started.ID + " of " + what}, nil
	}
	kept, err := json.Marshal(run{ID: started.ID})
	if err != nil {
		return engine.Outcome{}, remediators.UnknownOutcome("azure: %s: run %s was started: %w", what, started.ID, err)
	}
	_ = remediators.Checkpoint(ctx, kept) // where it is not kept the worker says so; the run goes on
	status, message, err := at.runEnd(ctx, started.ID)
	switch {
	case err != nil:
		return engine.Outcome{}, remediators.UnknownOutcome("azure: %s: run %s was started, but then: %w", what, started.ID, err)
	case status != succeeded:
		return engine.Outcome{}, remediators.UnknownOutcome("azure: %s: run %s was started, and ended as %s: %s", what, started.ID, status, shown(message))
	}
	return engine.Outcome{Summary: "ran " + what + ": run " + started.ID}, nil
}

// Observe implements [remediators.Remediator].
func (d *DataFactoryRun) Observe(ctx context.Context, t engine.Task, p engine.Plan) (engine.Effect, error) {
	at, named, params, err := d.found(t, p)
	if err != nil {
		return engine.Unknown, err
	}
	var started run
	if checkpoint := remediators.CheckpointOf(ctx); checkpoint == nil || json.Unmarshal(checkpoint, &started) != nil {
		if started.ID, err = at.runOf(ctx, named, params.TaskParameter, t.ID); err != nil {
			return engine.Unknown, err
		}
	}
	switch {
	case !runID.MatchString(started.ID) && params.waits():
		return engine.Unknown, nil
	case !runID.MatchString(started.ID):
		return at.activity(ctx, t.ID), nil
	case !params.waits():
		return engine.Applied, nil
	}
	status, _, err := at.runEnd(ctx, started.ID)
	if err != nil || status != succeeded {
		return engine.Unknown, err
	}
	return engine.Applied, nil
}
