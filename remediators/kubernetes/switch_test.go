package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

const betweenColours = `{"label": "version", "between": ["blue", "green"]}`

// colour makes a Deployment whose pods have the labels shop and version.
func (b *bed) colour(t *testing.T, namespace, version string, replicas int32, behaviour lab.Behaviour) *appsv1.Deployment {
	t.Helper()
	d := lab.Deployment(namespace, b.name(version), replicas)
	own := map[string]string{"shop": "cart", "version": version}
	d.Spec.Selector.MatchLabels = own
	d.Spec.Template.Labels = maps.Clone(own)
	if behaviour != "" {
		d.Spec.Template.Labels[lab.BehaviourLabel] = string(behaviour)
	}
	d.Spec.Template.Spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: corev1.ProtocolTCP}}
	d = must(b.Client().AppsV1().Deployments(namespace).Create(t.Context(), d, metav1.CreateOptions{}))(t)
	if behaviour == "" {
		b.settle(t, d)
	}
	return d
}

// service makes one that leads to the blue pods, changed before it is made, and waits
// until it does.
func (b *bed) service(t *testing.T, namespace string, change func(*corev1.Service)) engine.Target {
	t.Helper()
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: b.name("cart")},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"shop": "cart", "version": "blue"},
			Ports:    []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}},
		},
	}
	if change != nil {
		change(s)
	}
	s = must(b.Client().CoreV1().Services(namespace).Create(t.Context(), s, metav1.CreateOptions{}))(t)
	if len(s.Spec.Selector) > 0 && s.Spec.Type != corev1.ServiceTypeExternalName {
		eventually(t, "endpoints", func() bool {
			return slices.Equal(b.leadsTo(t, namespace, s.Name), b.readyPods(t, namespace, s.Spec.Selector))
		})
	}
	return target("Service", namespace, s.Name)
}

// leadsTo are the names of the ready pods that the EndpointSlices of a Service have.
func (b *bed) leadsTo(t *testing.T, namespace, name string) []string {
	t.Helper()
	list := must(b.Client().DiscoveryV1().EndpointSlices(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + name}))(t)
	var pods []string
	for i := range list.Items {
		for _, e := range list.Items[i].Endpoints {
			if *e.Conditions.Ready {
				pods = append(pods, e.TargetRef.Name)
			}
		}
	}
	slices.Sort(pods)
	return pods
}

// readyPods are the names of the ready pods that a selector takes.
func (b *bed) readyPods(t *testing.T, namespace string, selector map[string]string) []string {
	t.Helper()
	var names []string
	for _, pod := range b.pods(t, namespace) {
		taken := pod.DeletionTimestamp == nil
		for k, v := range selector {
			taken = taken && pod.Labels[k] == v
		}
		if taken && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}) {
			names = append(names, pod.Name)
		}
	}
	slices.Sort(names)
	return names
}

func (b *bed) version(t *testing.T, at engine.Target) string {
	t.Helper()
	return must(b.Client().CoreV1().Services(at.Namespace).Get(t.Context(), at.Name, metav1.GetOptions{}))(t).Spec.Selector["version"]
}

func (b *bed) patchService(t *testing.T, at engine.Target, text string) {
	t.Helper()
	must(b.Client().CoreV1().Services(at.Namespace).Patch(t.Context(), at.Name, types.MergePatchType, []byte(text), metav1.PatchOptions{}))(t)
}

func switchConforms(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	b.colour(t, namespace, "blue", 2, "")
	b.colour(t, namespace, "green", 2, "")
	remediatortest.Run(t, b.subject(t, switcher, remediatortest.HTTP2, func(clusters kubernetes.Clusters) remediatortest.Bench {
		return remediatortest.Bench{
			Remediator: kubernetes.NewSwitch(clusters),
			Fresh: func(t *testing.T) remediatortest.Scene {
				at := b.service(t, namespace, nil)
				return remediatortest.Scene{
					Task:    engine.Task{Target: at, Params: json.RawMessage(betweenColours)},
					Effects: func(t *testing.T) int { return b.patches(t, switcher, namespace, at.Name) },
					Change:  func(t *testing.T) { b.patchService(t, at, `{"spec": {"selector": {"version": "red"}}}`) },
					State:   func(t *testing.T) string { return b.version(t, at) },
				}
			},
			Missing: engine.Task{Target: target("Service", namespace, "nobody"), Params: json.RawMessage(betweenColours)},
		}
	}))
}

// switchSwitches goes there, back, and there again, by the real endpoints; and not back
// to where nobody is any more.
func switchSwitches(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	s := kubernetes.NewSwitch(b.clusters(t, switcher))
	blue, green := b.colour(t, namespace, "blue", 2, ""), b.colour(t, namespace, "green", 1, "")
	at := b.service(t, namespace, nil)
	blues := b.leadsTo(t, namespace, at.Name)
	if len(blues) != 2 {
		t.Fatalf("leads to %q", blues)
	}

	const toGreen = `{"label": "version", "from": "blue", "to": "green"}`
	_, err := s.Plan(t.Context(), task("x", at, toGreen))
	if remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "1 pods, 1 of them ready, and 2 must be") {
		t.Errorf("fewer pods than there are now: %v", err)
	}
	p := must(s.Plan(t.Context(), task("x", at, `{"label": "version", "to": "green", "minReady": "50%"}`)))(t)
	if h := p.Health; h == nil || *h != (engine.Health{Total: 2, Healthy: 2, Disrupts: 1}) {
		t.Errorf("health %+v", h)
	}

	b.setReplicas(t, namespace, green.Name, 2)
	b.settle(t, green)
	run := task("there", at, toGreen)
	p = must(s.Plan(t.Context(), run))(t)
	if want := "switch Service " + namespace + "/" + at.Name + " in korea from version=blue to green"; p.Summary != want {
		t.Errorf("summary %q, want %q", p.Summary, want)
	}
	o := must(s.Execute(t.Context(), run, p))(t)
	// No waiting: Execute has.
	greens := b.readyPods(t, namespace, map[string]string{"version": "green"})
	if got := b.leadsTo(t, namespace, at.Name); !slices.Equal(got, greens) || len(got) != 2 || !strings.Contains(o.Summary, "to green, which has 2 ready endpoints") {
		t.Errorf("leads to %q, want %q: %s", got, greens, o.Summary)
	}
	if again := must(s.Plan(t.Context(), task("again", at, toGreen)))(t); !again.Noop {
		t.Errorf("switches what is switched: %+v", again)
	}
	undo := undoOf(run, p)
	if err := s.Undo(t.Context(), undo, o); err != nil {
		t.Fatal(err)
	}
	if got := b.leadsTo(t, namespace, at.Name); !slices.Equal(got, blues) {
		t.Errorf("undone, leads to %q, want %q", got, blues)
	}

	run = task("there-again", at, betweenColours)
	undo = undoOf(run, applied(t, s, run))
	b.setReplicas(t, namespace, blue.Name, 0)
	eventually(t, "the blue pods' end", func() bool { return len(b.readyPods(t, namespace, map[string]string{"version": "blue"})) == 0 })
	err = s.Undo(t.Context(), undo, *undo.Outcome)
	if remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "not switched back") || b.version(t, at) != "green" {
		t.Errorf("undone to nobody: %v; it leads to %s", err, b.version(t, at))
	}
	b.setReplicas(t, namespace, blue.Name, 1)
	b.settle(t, blue)
	if err := s.Undo(t.Context(), undo, *undo.Outcome); err != nil || b.version(t, at) != "blue" {
		t.Errorf("%v; it leads to %s", err, b.version(t, at))
	}
	if n := b.patches(t, switcher, namespace, at.Name); n != 4 {
		t.Errorf("%d patches, want 4", n)
	}
}

// switchWaitsForReady: pods that are there may become ready; they may cease to be right
// before the switch.
func switchWaitsForReady(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	s := kubernetes.NewSwitch(b.clusters(t, switcher))
	b.colour(t, namespace, "blue", 1, "")
	b.colour(t, namespace, "red", 1, lab.NeverReady)
	green := b.colour(t, namespace, "green", 1, "")
	at := b.service(t, namespace, nil)
	eventually(t, "a red pod", func() bool {
		_, err := s.Plan(t.Context(), task("x", at, `{"label": "version", "to": "red"}`))
		return remediators.ClassOf(err) == engine.ClassRetryable && strings.Contains(err.Error(), "0 of its 1 pods are ready, and 1 must be")
	})
	run := task("late", at, betweenColours)
	p := must(s.Plan(t.Context(), run))(t)
	for _, pod := range b.pods(t, namespace) {
		if pod.Labels["version"] == "green" {
			must(b.Client().CoreV1().Pods(namespace).Patch(t.Context(), pod.Name, types.MergePatchType,
				fmt.Appendf(nil, `{"metadata": {"labels": {%q: %q}}}`, lab.BehaviourLabel, lab.NeverReady), metav1.PatchOptions{}))(t)
		}
	}
	eventually(t, "the green pod to fail", func() bool { return len(b.readyPods(t, namespace, green.Spec.Selector.MatchLabels)) == 0 })
	if _, err := s.Execute(t.Context(), run, p); remediators.ClassOf(err) != engine.ClassRetryable {
		t.Errorf("switched to what is not ready any more: %v", err)
	}
	if n := b.patches(t, switcher, namespace, at.Name); n != 0 || b.version(t, at) != "blue" {
		t.Errorf("%d patches; it leads to %s", n, b.version(t, at))
	}
}

func switchRefuses(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	s := kubernetes.NewSwitch(b.clusters(t, switcher))
	b.colour(t, namespace, "blue", 1, "")
	b.colour(t, namespace, "green", 1, "")
	at := b.service(t, namespace, nil)
	owner := must(b.Client().CoreV1().ConfigMaps(namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "owner"}}, metav1.CreateOptions{}))(t)
	for name, c := range map[string]struct {
		change func(*corev1.Service)
		params string
		why    string
	}{
		"no selector": {func(s *corev1.Service) { s.Spec.Selector = nil }, betweenColours, "it has no selector; give it one"},
		"ExternalName": {func(s *corev1.Service) {
			s.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "x.example"}
		}, betweenColours, "ExternalName"},
		"no such label": {func(s *corev1.Service) { delete(s.Spec.Selector, "version") }, betweenColours, "has no label version; add it"},
		"another label": {nil, `{"label": "colour", "to": "green"}`, "has no label colour; add it"},
		"owned": {func(s *corev1.Service) {
			s.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, corev1.SchemeGroupVersion.WithKind("ConfigMap"))}
		}, betweenColours, "managed by ConfigMap owner"},
		"Argo Rollouts": {func(s *corev1.Service) {
			s.Annotations = map[string]string{"argo-rollouts.argoproj.io/managed-by-rollouts": "cart"}
		}, betweenColours, "managed by the Rollout cart"},
		"nobody there":      {nil, `{"label": "version", "to": "red", "minReady": 1}`, "there is no such pod; deploy it first"},
		"too few":           {nil, `{"label": "version", "to": "green", "minReady": 2}`, "it has 1 pods, 1 of them ready, and 2 must be"},
		"from another":      {nil, `{"label": "version", "from": "red", "to": "green"}`, "only from red"},
		"neither":           {nil, `{"label": "version", "between": ["red", "green"]}`, "neither red nor green"},
		"a port of nobody":  {func(s *corev1.Service) { s.Spec.Ports[0].TargetPort = intstr.FromString("grpc") }, betweenColours, "no port named grpc"},
		"no parameters":     {nil, ``, "label"},
		"to and between":    {nil, `{"label": "version", "to": "red", "between": ["red", "green"]}`, "exactly one of to and between"},
		"a share of 0":      {nil, `{"label": "version", "to": "green", "minReady": "0%"}`, "minReady"},
		"the same":          {nil, `{"label": "version", "from": "green", "to": "green"}`, "both"},
		"of one and itself": {nil, `{"label": "version", "between": ["green", "green"]}`, "two colours"},
	} {
		to := at
		if c.change != nil {
			to = b.service(t, namespace, c.change)
		}
		_, err := s.Plan(t.Context(), task("x", to, c.params))
		if err == nil || remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: error %v, want a terminal one with %q", name, err, c.why)
		}
	}
	if _, err := s.Plan(t.Context(), task("x", target("Deployment", namespace, "x"), betweenColours)); remediators.ClassOf(err) != engine.ClassTerminal {
		t.Errorf("a Deployment: %v", err)
	}
	if _, err := kubernetes.NewSwitch(b.clusters(t, scaler)).Plan(t.Context(), task("x", at, betweenColours)); remediators.ClassOf(err) != engine.ClassTerminal {
		t.Errorf("without rights: %v", err)
	}
}
