package e2e_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientkubernetes "k8s.io/client-go/kubernetes"

	"github.com/tripgen/paramedic/internal/e2e"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

//go:embed testdata/bench.yaml
var benchRules []byte

// benchSamples is how often each is measured; the 99th percentile is then the
// largest.
const benchSamples = 100

// BenchmarkAlertToPatch measures from the begin of an alert's POST to the moment
// at which the API server received the PATCH that follows from it, by its audit
// log. In between are two fsynced inbox messages, two ledger records, two work
// messages, a claim, and three reads of the deployment. Beside each alert a bare
// PATCH of the same kind is sent by client-go, from its begin to its answer. The
// pods can be placed nowhere, so that no rollout disturbs.
func BenchmarkAlertToPatch(b *testing.B) {
	w := newBench(b)
	for b.Loop() {
		alerts, bare := w.measure(b)
		for _, at := range []struct {
			name string
			part float64
		}{{"p50", 0.50}, {"p99", 0.99}} {
			a, p := percentile(alerts, at.part), percentile(bare, at.part)
			b.ReportMetric(float64(a.Microseconds())/1000, at.name+"-ms")
			b.ReportMetric(float64(p.Microseconds())/1000, "bare-"+at.name+"-ms")
			b.ReportMetric(float64(a)/float64(p), at.name+"-x-bare")
		}
	}
	b.ReportMetric(0, "ns/op") // of no meaning here
}

func percentile(d []time.Duration, part float64) time.Duration {
	slices.Sort(d)
	return d[min(int(part*float64(len(d))), len(d)-1)]
}

type bench struct {
	cluster   *lab.Cluster
	user      clientkubernetes.Interface
	paramedic *e2e.Paramedic
	http      *http.Client
}

func newBench(b *testing.B) *bench {
	b.Helper()
	program, err := e2e.Build(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	w := &bench{cluster: lab.Kubernetes(b), http: &http.Client{}}
	if err := e2e.Allow(b.Context(), w.cluster, lab.Paramedic, kubernetes.ClusterRole("paramedic", &kubernetes.Restart{})); err != nil {
		b.Fatal(err)
	}
	kubeconfig, err := w.cluster.KubeconfigFor(lab.Paramedic)
	if err != nil {
		b.Fatal(err)
	}
	config, err := w.cluster.ConfigFor(lab.Paramedic)
	if err != nil {
		b.Fatal(err)
	}
	if w.user, err = clientkubernetes.NewForConfig(config); err != nil {
		b.Fatal(err)
	}
	w.paramedic = startParamedic(b, program, map[string]string{"lab": kubeconfig}, benchRules)
	return w
}

// measure takes all samples, in a namespace of its own.
func (w *bench) measure(b *testing.B) (alerts, bare []time.Duration) {
	b.Helper()
	ctx := b.Context()
	namespace := w.cluster.Namespace(b)
	for i := range benchSamples {
		for _, kind := range []string{"alerted", "bare"} {
			d := lab.Deployment(namespace, fmt.Sprintf("%s-%d", kind, i), 1)
			d.Spec.Template.Spec.NodeSelector = map[string]string{corev1.LabelHostname: "nowhere"}
			if _, err := w.cluster.Client().AppsV1().Deployments(namespace).Create(ctx, d, metav1.CreateOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	}
	w.observed(b, namespace)
	begun := map[string]time.Time{}
	for i := range benchSamples {
		name := fmt.Sprintf("alerted-%d", i)
		began, err := w.alert(ctx, namespace, name)
		if err != nil {
			b.Fatal(err)
		}
		begun[name] = began
		if err := w.changed(ctx, namespace, name); err != nil {
			b.Fatal(err)
		}
		took, err := w.patch(ctx, namespace, fmt.Sprintf("bare-%d", i))
		if err != nil {
			b.Fatal(err)
		}
		bare = append(bare, took)
	}
	entries, err := w.cluster.Audit(ctx, lab.AuditFilter{User: lab.Paramedic, Verb: "patch", Namespace: namespace})
	if err != nil {
		b.Fatal(err)
	}
	for i := range entries {
		if began, is := begun[entries[i].Name]; is && entries[i].Code == http.StatusOK {
			alerts = append(alerts, entries[i].ReceivedAt.Sub(began))
		}
	}
	if len(alerts) != benchSamples {
		b.Fatalf("%d changes for %d alerts", len(alerts), benchSamples)
	}
	return alerts, bare
}

// observed waits until the controller has written what it writes of new ones.
func (w *bench) observed(b *testing.B, namespace string) {
	b.Helper()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		list, err := w.cluster.Client().AppsV1().Deployments(namespace).List(b.Context(), metav1.ListOptions{})
		if err != nil {
			b.Fatal(err)
		}
		missing := 0
		for i := range list.Items {
			if s := &list.Items[i].Status; s.ObservedGeneration == 0 || s.UnavailableReplicas != 1 || s.Replicas != 1 {
				missing++
			}
		}
		if missing == 0 {
			return
		}
		<-ticker.C
	}
}

// alert posts one as Alertmanager does and returns when it began to.
func (w *bench) alert(ctx context.Context, namespace, deployment string) (began time.Time, err error) {
	now := time.Now().UTC()
	body, err := json.Marshal(map[string]any{
		"version": "4", "status": "firing", "receiver": "paramedic", "groupKey": "{}:{}",
		"alerts": []map[string]any{{
			"status": "firing", "startsAt": now, "fingerprint": "",
			"labels": map[string]string{"alertname": "ServiceDown", "severity": "critical", "namespace": namespace, "deployment": deployment},
		}},
	})
	if err != nil {
		return began, err
	}
	began = time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.paramedic.Webhook(), strings.NewReader(string(body)))
	if err != nil {
		return began, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+w.paramedic.Token)
	resp, err := w.http.Do(req)
	if err != nil {
		return began, err
	}
	if resp.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("the alert was answered with %s", resp.Status)
	}
	return began, errors.Join(err, resp.Body.Close())
}

// changed waits for the deployment's second generation.
func (w *bench) changed(ctx context.Context, namespace, name string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	watch, err := w.cluster.Client().AppsV1().Deployments(namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	defer watch.Stop()
	for event := range watch.ResultChan() {
		if d, ok := event.Object.(metav1.Object); ok && d.GetGeneration() > 1 {
			return nil
		}
	}
	return fmt.Errorf("%s was not changed: %w", name, ctx.Err())
}

// patch restarts one as Paramedic does, without it.
func (w *bench) patch(ctx context.Context, namespace, name string) (time.Duration, error) {
	body := fmt.Appendf(nil, `{"metadata": {"annotations": {%q: "bare"}}, "spec": {"template": {"metadata": {"annotations": {%q: %q}}}}}`,
		kubernetes.TaskAnnotation, kubernetes.RestartedAnnotation, time.Now().UTC().Format(time.RFC3339))
	began := time.Now()
	_, err := w.user.AppsV1().Deployments(namespace).Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{})
	if err != nil {
		return 0, fmt.Errorf("bare patch: %w", err)
	}
	return time.Since(began), nil
}
