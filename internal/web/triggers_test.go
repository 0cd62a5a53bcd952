package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/internal/web/webtest"
)

func TestAPersonSetsARuleOff(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	set := func(rule, body string) answer {
		t.Helper()
		return send(t, http.MethodPost, w.URL+"/api/v1/triggers/"+rule, body, nil)
	}
	out := into[api.Triggered](t, want(t, set(webtest.Auto, `{"labels":{"service":"one"},"reason":"it smokes"}`), 200))
	if !out.Decided || out.Delivery != "raised-one" || len(out.Runs) != 1 || out.Runs[0].Rule != webtest.Auto {
		t.Fatalf("%+v", out)
	}
	w.Responder.View(func(st *engine.State) {
		if a := st.Runs[out.Runs[0].ID].Alert; a.Annotations["by"] != "anonymous" || a.Annotations["description"] != "it smokes" {
			t.Errorf("%+v", a)
		}
	})
	// Another joins the run that there is.
	again := into[api.Triggered](t, want(t, set(webtest.Auto, `{"labels":{"service":"one"}}`), 200))
	if len(again.Runs) != 1 || again.Runs[0].ID != out.Runs[0].ID {
		t.Errorf("%+v", again)
	}
	for body, detail := range map[string]string{
		`{}`: "asks for the label service", `{"label":{}}`: "label", `{"labels":{"service":1}}`: "",
		`{"labels":{"service":"one"},"reason":"` + strings.Repeat("x", 1001) + `"}`: "reason",
	} {
		if p := want(t, set(webtest.Auto, body), 400).problem(t); !strings.Contains(p.Detail, detail) {
			t.Errorf("%s: %+v", body, p)
		}
	}
	if p := want(t, set("none", `{"labels":{"service":"one"}}`), 400).problem(t); !strings.Contains(p.Detail, `"none"`) {
		t.Errorf("%+v", p)
	}
}
