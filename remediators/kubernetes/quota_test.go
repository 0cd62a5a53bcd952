package kubernetes

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// amounts reads "cpu=1 memory=2Gi".
func amounts(text string) corev1.ResourceList {
	if text == "" {
		return nil
	}
	list := corev1.ResourceList{}
	for one := range strings.FieldsSeq(text) {
		name, n, _ := strings.Cut(one, "=")
		list[corev1.ResourceName(name)] = resource.MustParse(n)
	}
	return list
}

func container(name, requests, limits string) corev1.Container {
	return corev1.Container{Name: name, Resources: corev1.ResourceRequirements{Requests: amounts(requests), Limits: amounts(limits)}}
}

func pod(containers ...corev1.Container) corev1.PodSpec {
	return corev1.PodSpec{Containers: containers}
}

// TestQuotaUsage counts as the API server does.
func TestQuotaUsage(t *testing.T) {
	t.Parallel()
	sidecar := container("proxy", "cpu=100m", "")
	sidecar.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	starting := pod(container("main", "cpu=500m memory=1Gi", "memory=2Gi"), container("log", "cpu=100m memory=128Mi", "memory=128Mi"))
	starting.InitContainers = []corev1.Container{sidecar, container("migrate", "cpu=2 memory=64Mi", "memory=64Mi")}
	whole := pod(container("main", "cpu=500m", ""))
	whole.Resources = &corev1.ResourceRequirements{Requests: amounts("cpu=3")}
	whole.Overhead = amounts("cpu=250m")
	gpu := pod(container("main", "nvidia.com/gpu=1 hugepages-2Mi=64Mi", ""))
	ranges := []corev1.LimitRange{{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{
		{Type: corev1.LimitTypePod, Default: amounts("cpu=9")},
		{Type: corev1.LimitTypeContainer, Default: amounts("cpu=1 memory=512Mi"), DefaultRequest: amounts("cpu=200m memory=256Mi")},
	}}}}
	for _, c := range []struct {
		name   string
		pod    corev1.PodSpec
		ranges []corev1.LimitRange
		want   string
	}{
		{
			"containers together", pod(container("a", "cpu=1 memory=1Gi", "cpu=2"), container("b", "cpu=500m", "cpu=1")), nil,
			"cpu=1500m requests.cpu=1500m limits.cpu=3 memory=1Gi requests.memory=1Gi",
		},
		{"starting takes more", starting, nil, "requests.cpu=2100m requests.memory=1152Mi limits.memory=2176Mi"},
		{"a limit is a request", pod(container("a", "", "memory=1Gi")), nil, "requests.memory=1Gi limits.memory=1Gi"},
		{"defaults", pod(container("a", "", ""), container("b", "cpu=2", "cpu=3")), ranges, "requests.cpu=2200m limits.cpu=4 requests.memory=512Mi limits.memory=1Gi"},
		{"as a whole", whole, nil, "requests.cpu=3250m"},
		{"others", gpu, nil, "requests.nvidia.com/gpu=1 requests.hugepages-2Mi=64Mi hugepages-2Mi=64Mi pods=1 count/pods=1"},
	} {
		spec := withDefaults(c.pod, c.ranges)
		used := usage(&spec)
		for name, want := range amounts(c.want) {
			if got := used[name]; got.Cmp(want) != 0 {
				t.Errorf("%s: %s of %s, want %s", c.name, got.String(), name, want.String())
			}
		}
	}
}

// TestQuotaScopes tells which quotas are about a pod, and which nobody can tell of.
func TestQuotaScopes(t *testing.T) {
	t.Parallel()
	near := pod(container("a", "cpu=1", ""))
	near.PriorityClassName = "high"
	near.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: "zone"}},
	}}
	far := pod(container("a", "", ""))
	far.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{PodAffinityTerm: corev1.PodAffinityTerm{NamespaceSelector: &metav1.LabelSelector{}}}},
	}}
	ranges := []corev1.LimitRange{{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer, DefaultRequest: amounts("cpu=1")}}}}}
	for _, c := range []struct {
		scope    corev1.ResourceQuotaScope
		operator corev1.ScopeSelectorOperator
		values   string
		pod      corev1.PodSpec
		ranges   []corev1.LimitRange
		want     string // yes, no, or what the error says
	}{
		{corev1.ResourceQuotaScopeTerminating, "", "", near, nil, "no"},
		{corev1.ResourceQuotaScopeNotTerminating, "", "", near, nil, "yes"},
		{corev1.ResourceQuotaScopeBestEffort, "", "", near, nil, "no"},
		{corev1.ResourceQuotaScopeNotBestEffort, "", "", near, nil, "yes"},
		{corev1.ResourceQuotaScopeBestEffort, "", "", far, nil, "yes"},
		{corev1.ResourceQuotaScopeBestEffort, "", "", far, ranges, "no"},
		{corev1.ResourceQuotaScopePriorityClass, "", "", near, nil, "yes"},
		{corev1.ResourceQuotaScopePriorityClass, corev1.ScopeSelectorOpIn, "high low", near, nil, "yes"},
		{corev1.ResourceQuotaScopePriorityClass, corev1.ScopeSelectorOpIn, "low", near, nil, "no"},
		{corev1.ResourceQuotaScopePriorityClass, corev1.ScopeSelectorOpNotIn, "low", near, nil, "yes"},
		{corev1.ResourceQuotaScopePriorityClass, corev1.ScopeSelectorOpDoesNotExist, "", near, nil, "no"},
		{corev1.ResourceQuotaScopePriorityClass, "Like", "h", near, nil, "not known"},
		{corev1.ResourceQuotaScopePriorityClass, corev1.ScopeSelectorOpIn, "high", far, nil, "cluster's default"},
		{corev1.ResourceQuotaScopeCrossNamespacePodAffinity, "", "", near, nil, "no"},
		{corev1.ResourceQuotaScopeCrossNamespacePodAffinity, "", "", far, nil, "yes"},
		{corev1.ResourceQuotaScopeCrossNamespacePodAffinity, "", "", pod(), nil, "no"},
		{corev1.ResourceQuotaScopeVolumeAttributesClass, "", "", near, nil, "no"},
		{"FullMoon", "", "", near, nil, "does not know"},
	} {
		q := &corev1.ResourceQuota{}
		if c.operator == "" {
			q.Spec.Scopes = []corev1.ResourceQuotaScope{c.scope}
		} else {
			q.Spec.ScopeSelector = &corev1.ScopeSelector{MatchExpressions: []corev1.ScopedResourceSelectorRequirement{{ScopeName: c.scope, Operator: c.operator, Values: strings.Fields(c.values)}}}
		}
		spec := withDefaults(c.pod, c.ranges)
		in, err := inScope(q, &spec)
		got := map[bool]string{true: "yes", false: "no"}[in]
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s %s %s: %s, want %s", c.scope, c.operator, c.values, got, c.want)
		}
	}
}

// TestQuotaFits compares what is needed with what is left.
func TestQuotaFits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		hard, seen, used string
		scope            corev1.ResourceQuotaScope
		replicas, made   int32
		to               int32
		unseen           bool
		class            engine.Class
		says             string
	}{
		{name: "room", hard: "requests.cpu=4 pods=10", used: "requests.cpu=2 pods=2", replicas: 2, made: 2, to: 4},
		{name: "no CPU", hard: "requests.cpu=4", used: "requests.cpu=2", replicas: 2, made: 2, to: 5, class: engine.ClassTerminal, says: "leaves 2 of requests.cpu, and 3 more pods need 3"},
		{name: "no pods", hard: "pods=4", used: "pods=4", replicas: 2, made: 2, to: 3, class: engine.ClassTerminal, says: "leaves 0 of pods"},
		{name: "no objects", hard: "count/pods=4", used: "count/pods=4", replicas: 2, made: 2, to: 3, class: engine.ClassTerminal, says: "count/pods"},
		{name: "more used than allowed", hard: "pods=4", used: "pods=6", replicas: 2, made: 2, to: 3, class: engine.ClassTerminal, says: "leaves 0 of pods"},
		{name: "of other things", hard: "services=1", used: "services=1", replicas: 2, made: 2, to: 9},
		{name: "some lack already", hard: "pods=4", used: "pods=2", replicas: 4, made: 2, to: 5, class: engine.ClassTerminal, says: "3 more pods"},
		{name: "its controller is at it", hard: "pods=4", used: "pods=2", replicas: 4, made: 2, to: 5, unseen: true, class: engine.ClassRetryable, says: "3 more pods"},
		{name: "not counted yet", hard: "pods=4", seen: "pods=3", used: "pods=2", replicas: 2, made: 2, to: 3, class: engine.ClassRetryable, says: "too new"},
		{name: "nothing is said of a limit", hard: "limits.memory=4Gi", used: "limits.memory=0", replicas: 2, made: 2, to: 3, class: engine.ClassTerminal, says: "container main says nothing"},
		{name: "of no interest", hard: "pods=1", used: "pods=1", scope: corev1.ResourceQuotaScopeBestEffort, replicas: 2, made: 2, to: 3},
		{name: "of unknown interest", hard: "pods=1", used: "pods=1", scope: "FullMoon", replicas: 2, made: 2, to: 3, class: engine.ClassTerminal, says: "cannot be judged"},
	} {
		q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "team"}}
		q.Spec.Hard, q.Status.Hard, q.Status.Used = amounts(c.hard), amounts(c.hard), amounts(c.used)
		if c.seen != "" {
			q.Status.Hard = amounts(c.seen)
		}
		if c.scope != "" {
			q.Spec.Scopes = []corev1.ResourceQuotaScope{c.scope}
		}
		w := &workload{kind: kindDeployment, meta: metav1.ObjectMeta{Name: "shop"}, replicas: &c.replicas, made: c.made, health: health{seen: !c.unseen}}
		w.pods.Spec = pod(container("main", "cpu=1", ""))
		err := growing([]growth{{w, c.to}}, nil).fit(q)
		if (err == nil) != (c.class == "") || err != nil && (remediators.ClassOf(err) != c.class || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "team")) {
			t.Errorf("%s: %v (%s), want %q (%s)", c.name, err, remediators.ClassOf(err), c.says, c.class)
		}
	}
}
