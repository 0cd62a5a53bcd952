package prometheus

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"testing/quick"

	"github.com/prometheus/common/model"

	"github.com/tripgen/paramedic/remediators/remediatortest"
)

func sample(pod string, value float64) *model.Sample {
	m := model.Metric{"__name__": "latency"}
	if pod != "" {
		m["pod"] = model.LabelValue(pod)
	}
	return &model.Sample{Metric: m, Value: model.SampleValue(value)}
}

func bare(value float64) *answer {
	return &answer{series: model.Vector{{Value: model.SampleValue(value)}}}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	nan, inf := math.NaN(), math.Inf(1)
	many := model.Vector{sample("a", 5), sample("b", 6), sample("c", 7), sample("d", 8), sample("e", 0)}
	for name, c := range map[string]struct {
		params   string
		series   model.Vector
		baseline *answer
		want     bool
		says     string
	}{
		"below":                       {params: `"below": 2`, series: model.Vector{sample("a", 1)}, want: true, says: `latency{pod="a"} is 1, below 2`},
		"not below, as equal":         {params: `"below": 2`, series: model.Vector{sample("a", 2)}, says: `latency{pod="a"} is 2, not below 2`},
		"above":                       {params: `"above": 2`, series: model.Vector{sample("a", 3)}, want: true, says: "above 2"},
		"not above, as equal":         {params: `"above": 2`, series: model.Vector{sample("a", 2)}, says: "not above 2"},
		"infinitely above":            {params: `"above": 2`, series: model.Vector{sample("a", inf)}, want: true, says: "is +Inf, above 2"},
		"equal":                       {params: `"equals": 0`, series: model.Vector{sample("", 0)}, want: true, says: "is 0, equal to 0"},
		"not equal":                   {params: `"equals": 0`, series: model.Vector{sample("", 1e-9)}, says: "is 1e-09, not equal to 0"},
		"not a number":                {params: `"below": 2`, series: model.Vector{sample("a", nan)}, says: "is NaN, not below 2"},
		"nor equal":                   {params: `"equals": 0`, series: model.Vector{sample("a", nan)}, says: "is NaN, not equal to 0"},
		"all":                         {params: `"below": 9`, series: many, want: true, says: "all 5 series are below the threshold"},
		"all but one":                 {params: `"above": 4`, series: many, says: `of 5 series: latency{pod="e"} is 0, not above 4`},
		"too many to show":            {params: `"below": 1`, series: many, says: "; and 1 more"},
		"of a scalar":                 {params: `"below": 2`, series: bare(1).series, want: true, says: "the result is 1, below 2"},
		"one baseline for all":        {params: `"below": {"query": "q", "factor": 2}`, series: many, baseline: bare(4.5), want: true, says: "below 9 (2 times the threshold's query)"},
		"one baseline, without":       {params: `"below": {"query": "q"}`, series: many, baseline: bare(5), says: "of 5 series"},
		"a baseline for each":         {params: `"below": {"query": "q", "factor": 1.5}`, series: model.Vector{sample("a", 1), sample("b", 10)}, baseline: &answer{series: model.Vector{sample("b", 7), sample("a", 0.7)}}, want: true, says: `latency{pod="b"} is 10, below 10.5`},
		"not for each":                {params: `"below": {"query": "q", "factor": 1.5}`, series: model.Vector{sample("a", 1), sample("b", 10)}, baseline: &answer{series: model.Vector{sample("a", 10), sample("b", 1)}}, says: `latency{pod="b"} is 10, not below 1.5`},
		"a new series":                {params: `"below": {"query": "q"}`, series: model.Vector{sample("a", 1), sample("b", 1)}, baseline: &answer{series: model.Vector{sample("a", 10)}}, says: `latency{pod="b"} is 1, and the threshold has no series with these labels`},
		"a baseline of another":       {params: `"below": {"query": "q"}`, series: model.Vector{sample("", 1)}, baseline: &answer{series: model.Vector{sample("a", 10)}}, says: "has no series with these labels"},
		"no baseline":                 {params: `"below": {"query": "q"}`, series: many, baseline: &answer{}, says: "the threshold's query q has no result"},
		"a baseline that is NaN":      {params: `"below": {"query": "q"}`, series: many, baseline: bare(nan), says: "not below NaN"},
		"a baseline that is doubtful": {params: `"below": {"query": "q"}`, series: many, baseline: &answer{series: model.Vector{{Metric: model.Metric{"__name__": "x"}, Value: 9}, {Metric: model.Metric{"__name__": "y"}, Value: 0}}}, says: "differ only by their name"},
	} {
		p, err := paramsOf([]byte(`{"query": "x", ` + c.params + `}`))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ok, detail := p.comparison().all(c.series, c.baseline)
		if ok != c.want || !strings.Contains(detail, c.says) {
			t.Errorf("%s: %t, %q; want %t with %q", name, ok, detail, c.want, c.says)
		}
	}
}

// TestOneBadSeriesFailsAll holds for any values and any order.
func TestOneBadSeriesFailsAll(t *testing.T) {
	t.Parallel()
	err := quick.Check(func(values []float64, limit float64) bool {
		var series model.Vector
		want := true
		for _, v := range values {
			series = append(series, sample("a", v))
			want = want && v < limit
		}
		got, _ := comparison{word: "below", to: threshold{number: limit}, holds: func(v, t float64) bool { return v < t }}.all(series, nil)
		return got == want
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

func TestLongTextIsCut(t *testing.T) {
	t.Parallel()
	p, err := paramsOf([]byte(`{"query": "x", "below": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	_, detail := p.comparison().all(model.Vector{sample(strings.Repeat("ä", 1<<20), 2)}, nil)
	if detail += warned([]string{strings.Repeat("ä", 1<<20)}); len(detail) > mostLabels+mostWarning+100 || !strings.Contains(detail, "ä...") {
		t.Errorf("%d bytes: %s", len(detail), detail)
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	compiled := remediatortest.Schema(t, json.RawMessage(schema))
	for text, says := range map[string]string{
		`{"query": "up", "equals": 1}`: "",
		`{"query": "up", "above": -1.5, "server": "s", "empty": "pass", "timeout": "1m"}`: "",
		`{"query": "up", "below": {"query": "up offset 1w", "factor": 1.2}}`:              "",
		``:                                "there are none",
		`{"equals": 1}`:                   "query is empty",
		`{"query": "up"}`:                 "exactly one",
		`{"query": "up", "equals": null}`: "exactly one",
		`{"query": "up", "above": 1, "below": 2}`:               "exactly one",
		`{"query": "up", "above": "1"}`:                         "want a number",
		`{"query": "up", "above": {}}`:                          "query is empty",
		`{"query": "up", "above": {"query": "x", "factor": 0}}`: "more than 0",
		`{"query": "up", "above": {"query": "x", "times": 2}}`:  "times",
		`{"query": "up", "above": 1, "empty": "ok"}`:            "want fail or pass",
		`{"query": "up", "above": 1, "timeout": "10"}`:          "no duration",
		`{"query": "up", "above": 1, "timeout": "1h"}`:          "no duration",
		`{"query": "up", "above": 1, "servre": "s"}`:            "servre",
		`{"query": "up", "above": 1} {}`:                        "more than one",
	} {
		_, err := paramsOf([]byte(text))
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
		// What a duration is, a schema does not say.
		if json.Valid([]byte(text)) && says != "no duration" && remediatortest.Accepts(t, compiled, text) != (err == nil) {
			t.Errorf("%s: the schema says otherwise than %v", text, err)
		}
	}
}
