package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/datafactory/armdatafactory/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/datafactory/armdatafactory/v9/fake"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// factory is Data Factory behind the vendor's fake. Its pipelines are those whose name
// begins with Load; a run ends at the third look.
type factory struct {
	mu   sync.Mutex
	runs []*factoryRun
	ends string
}

type factoryRun struct {
	id, pipeline string
	parameters   map[string]*string
	looks        int
}

const factoryPath = "/providers/Microsoft.DataFactory/factories/adf"

func newFactory(t *testing.T) (*factory, *front) {
	t.Helper()
	d := &factory{ends: succeeded}
	pipelines := fake.NewPipelinesServerTransport(&fake.PipelinesServer{Get: d.get, CreateRun: d.create})
	runs := fake.NewPipelineRunsServerTransport(&fake.PipelineRunsServer{Get: d.look, QueryByFactory: d.query})
	return d, newFront(t,
		route{http.MethodGet, factoryPath + "/pipelines/[^/]+", "PipelinesClient.Get", pipelines},
		route{http.MethodPost, factoryPath + "/pipelines/[^/]+/createRun", "PipelinesClient.CreateRun", pipelines},
		route{http.MethodGet, factoryPath + "/pipelineruns/[^/]+", "PipelineRunsClient.Get", runs},
		route{http.MethodPost, factoryPath + "/queryPipelineRuns", "PipelineRunsClient.QueryByFactory", runs},
	)
}

func (d *factory) get(_ context.Context, _, _, name string, _ *armdatafactory.PipelinesClientGetOptions) (
	resp azfake.Responder[armdatafactory.PipelinesClientGetResponse], failed azfake.ErrorResponder,
) {
	rest, ok := strings.CutPrefix(strings.ToLower(name), "load")
	if !ok {
		failed.SetResponseError(http.StatusNotFound, "PipelineNotFound")
	}
	resp.SetResponse(http.StatusOK, armdatafactory.PipelinesClientGetResponse{PipelineResource: armdatafactory.PipelineResource{
		Name: new("Load" + rest),
		Properties: &armdatafactory.Pipeline{Parameters: map[string]*armdatafactory.ParameterSpecification{
			"day": {Type: new(armdatafactory.ParameterTypeString)}, "task": {Type: new(armdatafactory.ParameterTypeString)},
		}},
	}}, nil)
	return resp, failed
}

func (d *factory) create(_ context.Context, _, _, name string, o *armdatafactory.PipelinesClientCreateRunOptions) (
	resp azfake.Responder[armdatafactory.PipelinesClientCreateRunResponse], failed azfake.ErrorResponder,
) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := &factoryRun{id: fmt.Sprintf("2f7fdb90-5df1-4b8e-ac2f-%012d", len(d.runs)), pipeline: name, parameters: map[string]*string{}}
	for key, value := range o.Parameters {
		r.parameters[key] = new(fmt.Sprint(value))
	}
	d.runs = append(d.runs, r)
	resp.SetResponse(http.StatusOK, armdatafactory.PipelinesClientCreateRunResponse{CreateRunResponse: armdatafactory.CreateRunResponse{RunID: new(r.id)}}, nil)
	return resp, failed
}

func (d *factory) look(_ context.Context, _, _, id string, _ *armdatafactory.PipelineRunsClientGetOptions) (
	resp azfake.Responder[armdatafactory.PipelineRunsClientGetResponse], failed azfake.ErrorResponder,
) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range d.runs {
		if r.id != id {
			continue
		}
		status := "InProgress"
		if r.looks++; r.looks > 2 {
			status = d.ends
		}
		resp.SetResponse(http.StatusOK, armdatafactory.PipelineRunsClientGetResponse{PipelineRun: armdatafactory.PipelineRun{
			Status: new(status), Message: new("as it says"),
		}}, nil)
		return resp, failed
	}
	failed.SetResponseError(http.StatusNotFound, "RunNotFound")
	return resp, failed
}

func (d *factory) query(_ context.Context, _, _ string, filter armdatafactory.RunFilterParameters, _ *armdatafactory.PipelineRunsClientQueryByFactoryOptions) (
	resp azfake.Responder[armdatafactory.PipelineRunsClientQueryByFactoryResponse], failed azfake.ErrorResponder,
) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var found armdatafactory.PipelineRunsQueryResponse
	for _, r := range d.runs {
		if f := filter.Filters[0]; *f.Operand == armdatafactory.RunQueryFilterOperandPipelineName && *f.Values[0] == r.pipeline &&
			filter.LastUpdatedAfter.Before(time.Now()) && filter.LastUpdatedBefore.After(time.Now()) {
			found.Value = append(found.Value, &armdatafactory.PipelineRun{RunID: new(r.id), Parameters: r.parameters})
		}
	}
	resp.SetResponse(http.StatusOK, armdatafactory.PipelineRunsClientQueryByFactoryResponse{PipelineRunsQueryResponse: found}, nil)
	return resp, failed
}

// of counts the runs of a pipeline.
func (d *factory) of(pipeline string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, r := range d.runs {
		if r.pipeline == pipeline {
			n++
		}
	}
	return n
}

func TestDataFactoryConforms(t *testing.T) {
	t.Parallel()
	for _, more := range []string{`"wait": true`, `"wait": false`, `"taskParameter": "task"`, `"taskParameter": "task", "wait": false`} {
		t.Run(more, func(t *testing.T) {
			t.Parallel()
			d, f := newFactory(t)
			next := 0
			f.conforms(t, func(a Accounts) remediators.Remediator { return NewDataFactoryRun(a) }, func(*testing.T) remediatortest.Scene {
				next++
				name := fmt.Sprintf("Load day %d", next)
				return remediatortest.Scene{
					Task: engine.Task{
						Target: resource(factoryPath),
						Params: json.RawMessage(fmt.Sprintf(`{"pipeline": %q, "parameters": {"day": 7}, %s}`, name, more)),
					},
					Effects: func(*testing.T) int { return d.of(name) },
				}
			}, engine.Task{Target: resource(factoryPath), Params: json.RawMessage(`{"pipeline": "nobody's"}`)})
		})
	}
}

func TestDataFactoryRefuses(t *testing.T) {
	t.Parallel()
	_, f := newFactory(t)
	action := NewDataFactoryRun(Accounts{"default": f.direct()})
	for name, c := range map[string]struct{ target, params, says string }{
		"run":                {factoryPath, `{"pipeline": "load1", "parameters": {"day": 1}, "taskParameter": "task"}`, "run pipeline load1 of adf in default with day, task"},
		"the pipeline":       {factoryPath + "/pipelines/Load1", `{"pipeline": "load1"}`, "run pipeline load1 of adf in default"},
		"another pipeline":   {factoryPath + "/pipelines/Load2", `{"pipeline": "load1"}`, "the target is the pipeline load2"},
		"no pipeline":        {factoryPath, `{}`, "pipeline is missing"},
		"nobody's":           {factoryPath, `{"pipeline": "x"}`, "there is none"},
		"no such parameter":  {factoryPath, `{"pipeline": "load1", "parameters": {"night": 1}}`, `declares no parameter "night", but day, task`},
		"nor for the task":   {factoryPath, `{"pipeline": "load1", "taskParameter": "id"}`, `declares no parameter "id"`},
		"given by both":      {factoryPath, `{"pipeline": "load1", "parameters": {"task": 1}, "taskParameter": "task"}`, "given a value in parameters, too"},
		"not of the factory": {redisPath + "r", `{"pipeline": "load1"}`, "want a Microsoft.DataFactory/factories or"},
	} {
		p, err := action.Plan(t.Context(), engine.Task{ID: "t", Target: resource(c.target), Params: json.RawMessage(c.params)})
		if said := p.Summary + fmt.Sprint(err); !strings.Contains(said, c.says) || err != nil && remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%s: %s, want %s", name, said, c.says)
		}
	}
}

// What is not answered is found by the parameter, and only by it.
func TestARunIsFoundByItsTask(t *testing.T) {
	t.Parallel()
	for params, want := range map[string]engine.Effect{
		`{"pipeline": "Load"}`:                                        engine.Unknown,
		`{"pipeline": "Load", "taskParameter": "task"}`:               engine.Applied,
		`{"pipeline": "load", "taskParameter": "task", "wait":false}`: engine.Applied,
	} {
		d, f := newFactory(t)
		action := NewDataFactoryRun(Accounts{"default": f.direct()})
		task := engine.Task{ID: "run-1/execute/1", Target: resource(factoryPath), Params: json.RawMessage(params)}
		p, err := action.Plan(t.Context(), task)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := action.Execute(t.Context(), task, p); err != nil || d.of("Load") != 1 {
			t.Fatal(err)
		}
		another := task
		another.ID = "run-2/execute/1"
		for of, effect := range map[*engine.Task]engine.Effect{&task: want, &another: engine.Unknown} {
			if got, err := action.Observe(t.Context(), *of, p); got != effect || err != nil {
				t.Errorf("%s: %s of %s, %v", params, got, of.ID, err)
			}
		}
	}
}

func TestAFailedRunIsUnknown(t *testing.T) {
	t.Parallel()
	for _, ends := range []string{"Failed", "Cancelled"} {
		d, f := newFactory(t)
		d.ends = ends
		action := NewDataFactoryRun(Accounts{"default": f.direct()})
		task := engine.Task{ID: "t", Target: resource(factoryPath), Params: json.RawMessage(`{"pipeline": "Load"}`)}
		p, err := action.Plan(t.Context(), task)
		if err != nil {
			t.Fatal(err)
		}
		_, err = action.Execute(t.Context(), task, p)
		if remediators.ClassOf(err) != engine.ClassUnknown || !strings.Contains(err.Error(), "was started, and ended as "+ends+": as it says") {
			t.Errorf("%v", err)
		}
		kept := json.RawMessage(`{"run": "` + d.runs[0].id + `"}`)
		if effect, err := action.Observe(remediators.WithCheckpoint(t.Context(), kept), task, p); effect != engine.Unknown || err != nil {
			t.Errorf("%s, %v", effect, err)
		}
	}
}
