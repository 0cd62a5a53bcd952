package lab_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/tripgen/paramedic/internal/lab"
)

const restartedAt = "kubectl.kubernetes.io/restartedAt"

// within is a context with time for what takes the lab seconds.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestKubernetes(t *testing.T) {
	if _, err := lab.StartKubernetes(t.Context(), lab.Options{Users: []lab.User{{Name: lab.Paramedic}}}); err == nil {
		t.Fatal("a user named twice was accepted")
	}
	started := time.Now()
	cluster := lab.Kubernetes(t, lab.User{Name: "operator", Groups: []string{"operators", "on-call"}})
	t.Logf("ready after %v", time.Since(started).Round(time.Millisecond))

	t.Run("rolling restart", func(t *testing.T) { testRollingRestart(t, cluster) })
	t.Run("stateful and daemon sets", func(t *testing.T) { testSets(t, cluster) })
	t.Run("roles", func(t *testing.T) { testRoles(t, cluster) })
	t.Run("behaviours", func(t *testing.T) { testBehaviours(t, cluster) })
	t.Run("users", func(t *testing.T) { testUsers(t, cluster) })
	t.Run("server identity", func(t *testing.T) { testServer(t, cluster) })
}

func testRollingRestart(t *testing.T, cluster *lab.Cluster) {
	ctx := within(t, time.Minute)
	service := running(ctx, t, cluster, cluster.Namespace(t), "profile-service", 3)
	pods := cluster.Client().CoreV1().Pods(service.Namespace)
	before := podNames(ctx, t, cluster, service.Namespace)

	apps := cluster.Client().AppsV1().Deployments(service.Namespace)
	if _, err := apps.Patch(ctx, service.Name, types.StrategicMergePatchType, restartPatch("now"), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := cluster.WaitAvailable(ctx, service); err != nil {
		t.Fatal(err)
	}
	list, err := pods.List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	fresh := 0
	for i := range list.Items {
		if list.Items[i].Annotations[restartedAt] == "now" && !before[list.Items[i].Name] {
			fresh++
		}
	}
	if fresh != 3 {
		t.Errorf("%d new pods carry the annotation, want 3", fresh)
	}
}

func testSets(t *testing.T, cluster *lab.Cluster) {
	ctx := within(t, time.Minute)
	namespace := cluster.Namespace(t)
	stateful, daemon := lab.StatefulSet(namespace, "ledger", 2), lab.DaemonSet(namespace, "agent")
	if _, err := cluster.Client().AppsV1().StatefulSets(namespace).Create(ctx, stateful, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.Client().AppsV1().DaemonSets(namespace).Create(ctx, daemon, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, workload := range []metav1.Object{stateful, daemon} {
		if err := cluster.WaitAvailable(ctx, workload); err != nil {
			t.Error(err)
		}
	}
	if got := len(podNames(ctx, t, cluster, namespace)); got != 4 {
		t.Errorf("%d pods, want 2 of the StatefulSet and one of the DaemonSet on each of 2 nodes", got)
	}
	if err := cluster.WaitAvailable(ctx, &corev1.Pod{}); err == nil {
		t.Error("waiting for a Pod was accepted")
	}
}

const restarter = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: restarter}
rules:
- {apiGroups: [apps], resources: [deployments], verbs: [patch]}
---
# nothing but a comment
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: restarter, namespace: %s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: restarter}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: paramedic}]
`

func testRoles(t *testing.T, cluster *lab.Cluster) {
	ctx := within(t, time.Minute)
	namespace := cluster.Namespace(t)
	service := running(ctx, t, cluster, namespace, "place-service", 1)
	if err := cluster.Apply(ctx, fmt.Appendf(nil, restarter, namespace)); err != nil {
		t.Fatal(err)
	}
	patch := func(user string) error {
		_, err := clientOf(t, cluster, user).AppsV1().Deployments(namespace).
			Patch(ctx, service.Name, types.StrategicMergePatchType, restartPatch(user), metav1.PatchOptions{FieldManager: "lab-test"})
		return err
	}
	// Refused at first is not refused by the role: the API server learns of a binding by its own watch.
	for err := patch(lab.Paramedic); err != nil; err = patch(lab.Paramedic) {
		if !apierrors.IsForbidden(err) || ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	if err := patch(lab.Outsider); !apierrors.IsForbidden(err) {
		t.Errorf("a user without a role patched: error %v, want forbidden", err)
	}
	err := clientOf(t, cluster, lab.Paramedic).AppsV1().Deployments(namespace).Delete(ctx, service.Name, metav1.DeleteOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("a role for patches deleted: error %v, want forbidden", err)
	}

	entries, err := cluster.Audit(ctx, lab.AuditFilter{Namespace: namespace, User: lab.Paramedic})
	if err != nil {
		t.Fatal(err)
	}
	var done []lab.AuditEntry
	for _, entry := range entries {
		if entry.Code != http.StatusForbidden {
			done = append(done, entry)
		}
	}
	if len(done) != 1 || entries[len(entries)-1].Verb != "delete" || entries[len(entries)-1].Code != http.StatusForbidden {
		t.Fatalf("audit log has %+v; want one patch that passed and, last, one delete that did not", entries)
	}
	got := done[0]
	if got.Verb != "patch" || got.Code != http.StatusOK || got.Group != "apps" || got.Resource != "deployments" || got.Subresource != "" ||
		got.Name != service.Name || got.ReceivedAt.IsZero() || got.ID == "" || got.UserAgent == "" {
		t.Errorf("audit entry %+v", got)
	}
	if want := string(restartPatch(lab.Paramedic)); string(got.Body) != want {
		t.Errorf("audited body %s, want %s", got.Body, want)
	}
	byAdmin, err := cluster.Audit(ctx, lab.AuditFilter{Namespace: namespace, User: lab.Administrator})
	if err != nil {
		t.Fatal(err)
	}
	if len(byAdmin) != 1 || byAdmin[0].Verb != "create" || byAdmin[0].Name != service.Name || byAdmin[0].Code != http.StatusCreated {
		t.Errorf("audit log of the administrator has %+v, want the one create", byAdmin)
	}
}

func testBehaviours(t *testing.T, cluster *lab.Cluster) {
	ctx := within(t, time.Minute)
	namespace := cluster.Namespace(t)
	for _, behaviour := range []lab.Behaviour{lab.NeverReady, lab.Crash} {
		service := running(ctx, t, cluster, namespace, string(behaviour), 1)
		// A new template that fails stays stuck beside the old pod, and undoing it is whole again.
		apps := cluster.Client().AppsV1().Deployments(namespace)
		patch := fmt.Appendf(nil, `{"spec":{"template":{"metadata":{"labels":{%q:%q}}}}}`, lab.BehaviourLabel, behaviour)
		if _, err := apps.Patch(ctx, service.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		waitForPod(ctx, t, cluster, namespace, behaviour)
		undo := fmt.Appendf(nil, `{"spec":{"template":{"metadata":{"labels":{%q:null}}}}}`, lab.BehaviourLabel)
		if _, err := apps.Patch(ctx, service.Name, types.StrategicMergePatchType, undo, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := cluster.WaitAvailable(ctx, service); err != nil {
			t.Fatal(err)
		}
		// A pod that was healthy fails once it is told to.
		for name := range podNames(ctx, t, cluster, namespace) {
			label := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, lab.BehaviourLabel, behaviour)
			if _, err := cluster.Client().CoreV1().Pods(namespace).Patch(ctx, name, types.MergePatchType, label, metav1.PatchOptions{}); err != nil && !apierrors.IsNotFound(err) {
				t.Fatal(err)
			}
		}
		waitForPod(ctx, t, cluster, namespace, behaviour)
		if err := apps.Delete(ctx, service.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func testUsers(t *testing.T, cluster *lab.Cluster) {
	ctx := within(t, time.Minute)
	if _, err := cluster.Token("nobody"); err == nil {
		t.Error("an unknown user has a token")
	}
	for user, groups := range map[string]int{"operator": 3, lab.Outsider: 1} { // system:authenticated is one more
		who, err := clientOf(t, cluster, user).AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if who.Status.UserInfo.Username != user || len(who.Status.UserInfo.Groups) != groups {
			t.Errorf("the API server takes %s for %+v, want %d groups", user, who.Status.UserInfo, groups)
		}
	}
}

func testServer(t *testing.T, cluster *lab.Cluster) {
	version, err := cluster.Client().Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if version.Major != "1" || version.Minor != "36" {
		t.Errorf("server version %s.%s, want 1.36", version.Major, version.Minor)
	}
}

func restartPatch(value string) []byte {
	return fmt.Appendf(nil, `{"spec":{"template":{"metadata":{"annotations":{%q:%q}}}}}`, restartedAt, value)
}

func running(ctx context.Context, t *testing.T, cluster *lab.Cluster, namespace, name string, replicas int32) *appsv1.Deployment {
	t.Helper()
	service, err := cluster.Client().AppsV1().Deployments(namespace).Create(ctx, lab.Deployment(namespace, name, replicas), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := cluster.WaitAvailable(ctx, service); err != nil {
		t.Fatal(err)
	}
	return service
}

func clientOf(t *testing.T, cluster *lab.Cluster, user string) kubernetes.Interface {
	t.Helper()
	config, err := cluster.ConfigFor(user)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func podNames(ctx context.Context, t *testing.T, cluster *lab.Cluster, namespace string) map[string]bool {
	t.Helper()
	list, err := cluster.Client().CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for i := range list.Items {
		names[list.Items[i].Name] = true
	}
	return names
}

// waitForPod watches until a pod with the behaviour shows it.
func waitForPod(ctx context.Context, t *testing.T, cluster *lab.Cluster, namespace string, behaviour lab.Behaviour) {
	t.Helper()
	watch, err := cluster.Client().CoreV1().Pods(namespace).Watch(ctx, metav1.ListOptions{LabelSelector: lab.BehaviourLabel + "=" + string(behaviour)})
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()
	var last *corev1.Pod
	for event := range watch.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			t.Fatalf("watch: %+v", event.Object)
		}
		last = pod
		if pod.Status.Phase != corev1.PodRunning || len(pod.Status.ContainerStatuses) == 0 || pod.Status.ContainerStatuses[0].Ready {
			continue
		}
		waiting := pod.Status.ContainerStatuses[0].State.Waiting
		if (behaviour == lab.Crash) == (waiting != nil && waiting.Reason == "CrashLoopBackOff") {
			return
		}
	}
	seen, err := json.Marshal(last)
	t.Fatalf("no pod became %s (%v); last: %s (%v)", behaviour, ctx.Err(), seen, err)
}
