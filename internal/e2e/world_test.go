package e2e_test

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/client"
	"github.com/tripgen/paramedic/internal/e2e"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

//go:embed testdata/rules.yaml
var rulesFile []byte

// world is what all tests share: the cluster, Paramedic, a pair of
// Alertmanagers, and the tap between them.
type world struct {
	cluster       *lab.Cluster
	paramedic     *e2e.Paramedic
	alertmanagers [2]*lab.Alertmanager
	tap           *tap
	// program and kubeconfigs are what another Paramedic is started with.
	program     string
	kubeconfigs map[string]string
}

// newWorld starts it all. Paramedic's user may do what its actions say that they
// need; the other cluster that it knows is the same one, where it may only read.
func newWorld(t *testing.T) *world {
	t.Helper()
	ctx := t.Context()
	w := &world{}
	program := make(chan string, 1)
	var building sync.WaitGroup
	building.Go(func() {
		path, err := e2e.Build(ctx, t.TempDir())
		if err != nil {
			t.Error(err)
		}
		program <- path
	})
	w.cluster = lab.Kubernetes(t)
	building.Wait()
	if t.Failed() {
		t.FailNow()
	}
	may := kubernetes.ClusterRole("paramedic", &kubernetes.Restart{}, &kubernetes.Scale{}, &kubernetes.Rollout{}, &kubernetes.Rollback{}, kubernetes.WatchOptions{})
	looks := kubernetes.ClusterRole("reader", &kubernetes.Rollout{})
	w.program, w.kubeconfigs = <-program, map[string]string{}
	for name, user := range map[string]string{"lab": lab.Paramedic, "read-only": lab.Outsider} {
		var err error
		if w.kubeconfigs[name], err = w.cluster.KubeconfigFor(user); err != nil {
			t.Fatal(err)
		}
	}
	if err := e2e.Allow(ctx, w.cluster, lab.Paramedic, may); err != nil {
		t.Fatal(err)
	}
	if err := e2e.Allow(ctx, w.cluster, lab.Outsider, looks); err != nil {
		t.Fatal(err)
	}
	w.paramedic = startParamedic(t, w.program, w.kubeconfigs, rulesFile)
	w.tap = newTap(t, w.paramedic)
	w.alertmanagers = lab.RunAlertmanagerPair(t, e2e.AlertmanagerConfig(w.tap.url, w.paramedic.TokenFile, time.Second))
	return w
}

// startParamedic runs it for the test, and shows its log if that has failed.
func startParamedic(tb testing.TB, program string, kubeconfigs map[string]string, rules []byte) *e2e.Paramedic {
	tb.Helper()
	p, err := e2e.Start(tb.Context(), e2e.Options{Program: program, Folder: tb.TempDir(), Clusters: kubeconfigs, Rules: rules})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Stop(); err != nil {
			tb.Error(err)
		}
		if tb.Failed() {
			tb.Logf("--- paramedic's log ---\n%s", p.Log())
		}
	})
	return p
}

// scene is one test's part of the world: a namespace of its own.
type scene struct {
	*world
	t         *testing.T
	ctx       context.Context //nolint:containedctx // the test's, with its bound
	namespace string
}

func (w *world) scene(t *testing.T) *scene {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 80*time.Second)
	t.Cleanup(cancel)
	return &scene{world: w, t: t, ctx: ctx, namespace: w.cluster.Namespace(t)}
}

// deploy creates deployments, and waits for them unless they are never to be ready.
func (s *scene) deploy(deployments ...*appsv1.Deployment) {
	s.t.Helper()
	for _, d := range deployments {
		if _, err := s.cluster.Client().AppsV1().Deployments(s.namespace).Create(s.ctx, d, metav1.CreateOptions{}); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, d := range deployments {
		if d.Spec.Template.Labels[lab.BehaviourLabel] != "" {
			continue
		}
		if err := s.cluster.WaitAvailable(s.ctx, d); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *scene) deployment(name string) *appsv1.Deployment {
	s.t.Helper()
	d, err := s.cluster.Client().AppsV1().Deployments(s.namespace).Get(s.ctx, name, metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// alert is one that fires since now.
func (s *scene) alert(name string, labels map[string]string) lab.Alert {
	a := lab.Alert{StartsAt: time.Now(), Labels: map[string]string{"alertname": name, "severity": "critical", "namespace": s.namespace}}
	maps.Copy(a.Labels, labels)
	return a
}

// post hands alerts to both Alertmanagers, as Prometheus does.
func (s *scene) post(alerts ...lab.Alert) {
	s.t.Helper()
	for _, am := range s.alertmanagers {
		if err := am.Post(s.ctx, alerts...); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *scene) resolve(alerts ...lab.Alert) {
	s.t.Helper()
	for i := range alerts {
		alerts[i].EndsAt = time.Now()
	}
	s.post(alerts...)
}

// eventually polls until the condition holds; it says what was last missing.
func (s *scene) eventually(condition func() error) {
	s.t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := condition()
		if err == nil {
			return
		}
		select {
		case <-s.ctx.Done():
			s.t.Fatalf("%v: %v", s.ctx.Err(), err)
		case <-ticker.C:
		}
	}
}

// runs are those of this namespace.
func (s *scene) runs() []api.Run {
	s.t.Helper()
	all, err := s.paramedic.API.Runs(s.ctx, client.Filter{})
	if err != nil {
		s.t.Fatal(err)
	}
	var ours []api.Run
	for _, r := range all.Runs {
		if strings.Contains(r.Target, "/"+s.namespace+"/") {
			ours = append(ours, r)
		}
	}
	return ours
}

// ended waits until so many runs are there and all have ended.
func (s *scene) ended(count int) []api.Run {
	s.t.Helper()
	var runs []api.Run
	s.eventually(func() error {
		runs = s.runs()
		if len(runs) != count {
			return fmt.Errorf("%d runs, want %d: %+v", len(runs), count, runs)
		}
		for _, r := range runs {
			if r.Phase != engine.PhaseEnded {
				return fmt.Errorf("run %+v has not ended", r)
			}
		}
		return nil
	})
	return runs
}

// changes are what Paramedic's users asked the API server for in this namespace.
func (s *scene) changes() []lab.AuditEntry {
	s.t.Helper()
	var all []lab.AuditEntry
	for _, user := range []string{lab.Paramedic, lab.Outsider} {
		entries, err := s.cluster.Audit(s.ctx, lab.AuditFilter{User: user, Namespace: s.namespace})
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, entries...)
	}
	return all
}

// changedOnce holds that the audit log has one change, a PATCH of the deployment.
func (s *scene) changedOnce(deployment string) lab.AuditEntry {
	s.t.Helper()
	var done []lab.AuditEntry
	for _, c := range s.changes() {
		if c.Verb != "patch" || c.Resource != "deployments" || c.Name != deployment || c.Subresource != "" {
			s.t.Errorf("%s of %s %s/%s by %s is none of Paramedic's business", c.Verb, c.Resource, c.Namespace, c.Name, c.User)
		}
		if c.Code == 200 {
			done = append(done, c)
		}
	}
	if len(done) != 1 {
		s.t.Fatalf("%d changes by the audit log, want 1: %+v", len(done), done)
	}
	return done[0]
}
