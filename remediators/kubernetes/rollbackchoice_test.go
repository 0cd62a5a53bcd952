package kubernetes

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

func entry(number int64, template string) revision {
	return revision{uid: "u", name: fmt.Sprint("r", number), number: number, template: json.RawMessage(template)}
}

func TestRollbackChooses(t *testing.T) {
	t.Parallel()
	entries := func(numbers ...int64) []revision {
		var all []revision
		for _, n := range numbers {
			all = append(all, entry(n, fmt.Sprintf(`{"spec": {"priority": %d}}`, n)))
		}
		return all
	}
	for name, c := range map[string]struct {
		params  string
		earlier []revision
		left    string
		want    int64 // 0: refused
		says    string
	}{
		"the one before":           {`{}`, entries(1, 4, 6), "", 6, ""},
		"not what was left":        {`{}`, entries(1, 4, 6), `["u/6"]`, 4, ", not to 6, which a rollback has left"},
		"nor what was left before": {`{}`, entries(1, 4, 6), `["u/6", "u/4"]`, 1, ", not to 4, 6, which"},
		"rolled out again since":   {`{}`, entries(1, 4, 6), `["u/2", "v/6"]`, 6, ""},
		"a restart in between":     {`{}`, append(entries(1, 4), entry(6, `{}`), entry(8, `{"metadata": {"annotations": {"paramedic.dev/task": "t"}}}`)), "", 4, ""},
		"nothing but restarts":     {`{}`, []revision{entry(6, `{}`), entry(8, `{}`)}, "", 0, "with another template: restarts made 6, 8"},
		"to before a restart":      {`{"revision": 6}`, append(entries(1), entry(6, `{}`)), "", 0, "revision 6 has the same template as revision 9, but for restarts"},
		"all were left":            {`{}`, entries(1), `["u/1"]`, 0, "a rollback has left every revision before 9"},
		"an annotation by hand":    {`{}`, entries(1), `u/1`, 1, ""},
		"none":                     {`{}`, nil, "", 0, "there is no revision before 9"},
		"a named one":              {`{"revision": 1}`, entries(1, 4), "", 1, ""},
		"a named one that is left": {`{"revision": 4}`, entries(1, 4), `["u/4"]`, 4, ""},
		"named by a label":         {`{"revision": "1"}`, entries(1, 4), "", 1, ""},
		"a named one is missing":   {`{"revision": 2}`, entries(1, 4), "", 0, "there is no revision 2; there are 1, 4"},
		"the present one":          {`{"revision": 9}`, entries(1, 4), "", 0, "revision 9 is the one that is rolled out"},
		"from the present one":     {`{"from": "9"}`, entries(1, 4), "", 4, ""},
		"from another":             {`{"from": 8}`, entries(1, 4), "", 0, "revision 9 is rolled out, not 8"},
	} {
		params, err := rollbackParamsOf(engine.Task{Params: json.RawMessage(c.params)})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		w := &workload{kind: kindStatefulSet, meta: metav1.ObjectMeta{Namespace: "n", Name: "w", Annotations: map[string]string{LeftAnnotation: c.left}}}
		got, err := params.choose(w, c.earlier, entry(9, `{"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}`))
		said := got.why
		if err != nil {
			said = err.Error()
		}
		if got.to.number != c.want || (err != nil) != (c.want == 0) || err != nil && remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(said, c.says) || c.says == "" && said != "" {
			t.Errorf("%s: %d, %q; want %d with %q", name, got.to.number, said, c.want, c.says)
		}
	}
}

func TestRollbackParams(t *testing.T) {
	t.Parallel()
	schema := remediatortest.Schema(t, json.RawMessage(rollbackSchema))
	for params, ok := range map[string]bool{
		`{}`: true, `{"revision": 3}`: true, `{"revision": "3"}`: true, `{"from": 1, "revision": 2}`: true,
		`{"revision": 0}`: false, `{"revision": -1}`: false, `{"revision": 1.5}`: false, `{"revision": "03"}`: false, `{"revision": "x"}`: false,
		`{"revision": true}`: false, `{"revision": ""}`: false, `{"to": 3}`: false, `{"revision": 1e3}`: false,
	} {
		_, err := rollbackParamsOf(engine.Task{Params: json.RawMessage(params)})
		// For JSON Schema 1e3 is an integer.
		if (err == nil) != ok || remediatortest.Accepts(t, schema, params) != ok && !strings.Contains(params, "1e3") {
			t.Errorf("%s: %v, want ok %t", params, err, ok)
		}
	}
	if _, err := rollbackParamsOf(engine.Task{Params: json.RawMessage(`{"revision": 3, "from": "3"}`)}); remediators.ClassOf(err) != engine.ClassTerminal {
		t.Errorf("from a revision to itself: %v", err)
	}
}

func TestRollbackNeedsTakenUp(t *testing.T) {
	t.Parallel()
	const one, two = `{"spec":{"containers":[{"name":"m","image":"i:1"}]}}`, `{"spec":{"containers":[{"name":"m","image":"i:2"}]}}`
	history := []revision{entry(1, one), entry(2, two)}
	deployment := func(template, number string, observed int64) *workload {
		var d appsv1.Deployment
		text := fmt.Sprintf(`{"metadata": {"generation": 5, "annotations": {%q: %q}}, "spec": {"template": %s}, "status": {"observedGeneration": %d}}`, revisionAnnotation, number, template, observed)
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Fatal(err)
		}
		return fromDeployment(&d)
	}
	for name, c := range map[string]struct {
		w       *workload
		history []revision
		ok      bool
	}{
		"taken up":             {deployment(two, "2", 5), history, true},
		"not yet seen":         {deployment(two, "2", 4), history, false},
		"seen, not counted":    {deployment(one, "2", 5), history, false},
		"counted on one only":  {deployment(two, "1", 5), history, false},
		"no history":           {deployment(two, "2", 5), nil, false},
		"a template in flight": {deployment(strings.Replace(two, "i:2", "i:3", 1), "2", 5), history, false},
	} {
		from, err := currentOf(c.w, c.history)
		if (err == nil) != c.ok || c.ok && from.number != 2 || !c.ok && remediators.ClassOf(err) != engine.ClassRetryable {
			t.Errorf("%s: revision %d, %v", name, from.number, err)
		}
	}
}

func TestRollbackShowsWhatChanges(t *testing.T) {
	t.Parallel()
	const before = `{"metadata": {"creationTimestamp": null, "labels": {"app": "x", "pod-template-hash": "h1"}, "annotations": {"a/b": "1"}},
		"spec": {"nodeSelector": {"disk": "ssd"}, "containers": [
			{"name": "main", "image": "new:2", "env": [{"name": "PASSWORD", "value": "s3cret"}, {"name": "SAME", "value": "1"}], "args": ["--token=s3cret"]},
			{"name": "sidecar", "image": "mesh:1"}],
			"volumes": [{"name": "v", "emptyDir": {}}]}}`
	const after = `{"$patch": "replace", "metadata": {"labels": {"app": "x", "pod-template-hash": "h2"}},
		"spec": {"newer": {"than": "this"}, "containers": [
			{"name": "main", "image": "old:1", "env": [{"name": "PASSWORD", "value": "0ther"}, {"name": "SAME", "value": "1"}], "args": []}],
			"volumes": [{"name": "v", "emptyDir": null}]}}`
	w := &workload{kind: kindDeployment, meta: metav1.ObjectMeta{Namespace: "n", Name: "w"}}
	done, changes, err := compareRevisions(w, entry(6, before), entry(4, after))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		got = append(got, fmt.Sprintf("%s: %s -> %s", c.Field, c.From, c.To))
	}
	want := []string{
		"revision: 6 -> 4",
		"spec.template.metadata.annotations.a/b: as in revision 6 -> as in revision 4",
		"spec.template.spec.containers[main].args: as in revision 6 -> as in revision 4",
		"spec.template.spec.containers[main].env[PASSWORD].value: as in revision 6 -> as in revision 4",
		"spec.template.spec.containers[main].image: new:2 -> old:1",
		"spec.template.spec.containers[sidecar].image: mesh:1 -> ",
		"spec.template.spec.containers[sidecar].name: as in revision 6 -> as in revision 4",
		"spec.template.spec.newer.than: as in revision 6 -> as in revision 4",
		"spec.template.spec.nodeSelector.disk: as in revision 6 -> as in revision 4",
		"spec.template.spec.volumes[v].emptyDir: as in revision 6 -> as in revision 4",
	}
	if !slices.Equal(got, want) {
		t.Errorf("changes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if done.FromRevision != 6 || done.ToRevision != 4 || done.FromTemplate == done.ToTemplate {
		t.Errorf("%+v", done)
	}
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `"k%d": "v", `, i)
	}
	if _, changes, err := compareRevisions(w, entry(6, before), entry(4, `{"metadata": {"annotations": {`+many.String()+`"z": "z"}}}`)); err != nil || len(changes) != maxChanges+2 || !strings.HasPrefix(changes[maxChanges+1].Field, "and ") {
		t.Errorf("%d changes, %v", len(changes), err)
	}
}

// TestWholeTemplate holds what is sent to what is stored: fields and numbers, too,
// that would not survive the API's types.
func TestWholeTemplate(t *testing.T) {
	t.Parallel()
	raw, err := entry(1, `{"metadata": {"labels": {"a": "b", "pod-template-hash": "h"}}, "spec": {"newer": {"than": 9007199254740993}}}`).whole()
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(raw)
	if want := `{"$patch":"replace","metadata":{"labels":{"a":"b"}},"spec":{"newer":{"than":9007199254740993}}}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestLeft(t *testing.T) {
	t.Parallel()
	var l left
	for i := range 2 * maxLeft {
		l = l.with(left{fmt.Sprint("u/", i)})
	}
	if len(l) != maxLeft || l[0] != fmt.Sprint("u/", 2*maxLeft-1) {
		t.Errorf("%d: %v", len(l), l)
	}
	if again := l.with(left{l[3]}); len(again) != maxLeft || again[0] != l[3] || slices.Contains(again[1:], l[3]) {
		t.Errorf("again: %v", again)
	}
	if none := (left{"a", "b"}).without(left{"b", "a"}).annotations(); none[LeftAnnotation] != nil {
		t.Errorf("none left: %v", none)
	}
}
