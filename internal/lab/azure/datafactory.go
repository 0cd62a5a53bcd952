package azure

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// factory is a Data Factory.
type factory struct {
	// pipelines are the parameters of each, by its name.
	pipelines map[string][]string
	runs      []*pipelineRun
}

// pipelineRun is a run of a pipeline.
type pipelineRun struct {
	id, pipeline string
	parameters   map[string]any
	until        time.Time
	ends         string
}

// AddFactory makes a Data Factory with one pipeline, which declares parameters, and returns its id.
func (c *Cloud) AddFactory(name, pipeline string, parameters ...string) string {
	return c.add("Microsoft.DataFactory/factories/"+name, &factory{pipelines: map[string][]string{pipeline: parameters}})
}

func (*factory) version() string { return "2018-06-01" }

func (r *pipelineRun) status() string {
	if time.Now().Before(r.until) {
		return inProgress
	}
	return r.ends
}

func (d *factory) serve(r request) (answer, *change, error) {
	kind, rest, _ := strings.Cut(r.rest, "/")
	name, verb, _ := strings.Cut(rest, "/")
	switch {
	case r.rest == "queryPipelineRuns" && r.method == http.MethodPost:
		runs := []any{}
		for _, each := range d.runs {
			runs = append(runs, each.shown())
		}
		return answer{status: http.StatusOK, body: map[string]any{"value": runs}}, nil, nil
	case strings.EqualFold(kind, "pipelineruns") && r.method == http.MethodGet:
		for _, each := range d.runs {
			if each.id == rest {
				return answer{status: http.StatusOK, body: each.shown()}, nil, nil
			}
		}
		return refusal(http.StatusNotFound, "PipelineRunNotFound", "there is no run %s", rest), nil, nil
	case !strings.EqualFold(kind, "pipelines"):
		return answer{}, nil, strangef("a factory knows no %s %q", r.method, r.rest)
	}
	declared, spelt := d.pipeline(name)
	switch {
	case spelt == "":
		return refusal(http.StatusNotFound, "PipelineNotFound", "there is no pipeline %s", name), nil, nil
	case verb == "" && r.method == http.MethodGet:
		parameters := map[string]any{}
		for _, p := range declared {
			parameters[p] = map[string]any{"type": "String"}
		}
		return answer{status: http.StatusOK, body: map[string]any{"name": spelt, "properties": map[string]any{"parameters": parameters}}}, nil, nil
	case verb != "createRun" || r.method != http.MethodPost:
		return answer{}, nil, strangef("a pipeline knows no %s %q", r.method, verb)
	}
	parameters := map[string]any{}
	if err := decode(r.body, &parameters); err != nil {
		return answer{}, nil, err
	}
	for p := range parameters {
		if !slices.Contains(declared, p) {
			return answer{}, nil, strangef("the pipeline declares no parameter %q", p)
		}
	}
	return answer{}, &change{kind: PipelineRun, apply: func(f Fault) (answer, bool) {
		ends := f.Ends
		if ends == "" {
			ends = succeeded
		}
		run := &pipelineRun{
			id: fmt.Sprintf("00000000-0000-4000-9000-%012d", len(d.runs)+1), pipeline: spelt, parameters: parameters,
			until: time.Now().Add(operationTakes), ends: ends,
		}
		d.runs = append(d.runs, run)
		return answer{status: http.StatusOK, body: map[string]any{"runId": run.id}}, true
	}}, nil
}

// pipeline finds one by its name in any letters, and gives its own spelling.
func (d *factory) pipeline(name string) (parameters []string, spelt string) {
	for each, declared := range d.pipelines {
		if strings.EqualFold(each, name) {
			return declared, each
		}
	}
	return nil, ""
}

func (r *pipelineRun) shown() map[string]any {
	return map[string]any{"runId": r.id, "pipelineName": r.pipeline, "parameters": r.parameters, "status": r.status(), "message": ""}
}
