package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/bus/access"
	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

const groupRules = `apiVersion: paramedic.dev/v1
kind: RuleSet
metadata: {name: test}
spec:
  rules:
    - name: restart
      on: {alerts: ['alertname="Down"']}
      target: {cluster: "${alert.labels.cluster}", namespace: "${alert.labels.namespace}", deployment: web}
      mode: auto
      guards: {minHealthy: off}
      try:
        - name: restart
          check: [{rollout: complete}]
          do: [{kubernetes.restart: {}}]
          verify: [{rollout: complete}]
          within: 1m
          stable: 0s
`

// region is a cluster as its own worker group sees it: one namespace.
type region struct{ cluster, group, namespace string }

// TestEachClusterIsWorkedOnByItsOwnGroup has a hub that knows no cluster's keys,
// and two worker groups, each with a cluster's keys and with credentials for its
// own part of the bus.
func TestEachClusterIsWorkedOnByItsOwnGroup(t *testing.T) {
	t.Parallel()
	cluster := lab.Kubernetes(t, lab.User{Name: "seoul"}, lab.User{Name: "tokyo"})
	regions := []region{{cluster: "korea", group: "seoul"}, {cluster: "japan", group: "tokyo"}}
	url, keys := natsWithAccounts(t, "seoul", "tokyo")

	var hubConfig strings.Builder
	fmt.Fprintf(&hubConfig, "bus: {url: %q, credentials: %q, replicas: 1, maxStore: 256MiB}\nclusters:\n", url, keys(access.Hub))
	for _, r := range regions {
		fmt.Fprintf(&hubConfig, "  %s: {group: %s}\n", r.cluster, r.group)
	}
	dir := folder(t, hubConfig.String())
	if err := os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(groupRules), 0o600); err != nil {
		t.Fatal(err)
	}
	hub, _ := start(t, dir, app.RoleEngine, app.RoleReceiver, app.RoleWeb)
	for i := range regions {
		r := &regions[i]
		r.namespace = cluster.Namespace(t)
		settle(t, cluster, *r)
		kubeconfig, err := cluster.KubeconfigFor(r.group)
		if err != nil {
			t.Fatal(err)
		}
		worker, _ := start(t, folder(t, fmt.Sprintf(`bus: {url: %q, credentials: %q, domain: %s}
clusters: {%s: {kubeconfig: %q}}
worker: {group: %s}
`, url, keys(r.group), access.Domain, r.cluster, kubeconfig, r.group)), app.RoleWorker)
		workerIsWatched(t, worker)
	}
	for _, r := range regions {
		breaks(t, hub, r)
	}
	await(t, hub, "two cures", func(runs []engine.Run) bool {
		cured := 0
		for _, r := range runs {
			if r.Phase == engine.PhaseEnded && r.Outcome == engine.Cured {
				cured++
			}
		}
		return cured == len(regions)
	})
	for _, r := range regions {
		d, err := cluster.Client().AppsV1().Deployments(r.namespace).Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil || d.Generation != 2 {
			t.Errorf("%s: generation %d, %v", r.cluster, d.Generation, err)
		}
	}
	checkGroups(t, hub, regions)
}

// workerIsWatched has whoever runs a worker see that it is alive, ready and at work,
// and find nothing else there.
func workerIsWatched(t *testing.T, a *app.App) {
	t.Helper()
	for path, want := range map[string]int{
		"/healthz": http.StatusOK, "/readyz": http.StatusOK, "/metrics": http.StatusOK, "/api/v1/runs": http.StatusNotFound,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.Addr().String()+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != want {
			t.Errorf("%s: %s, %s, %v", path, resp.Status, body, err)
		}
		if path == "/metrics" && !strings.Contains(string(body), "paramedic_worker_busy") {
			t.Errorf("no metrics of the worker: %s", body)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

// natsWithAccounts is a NATS server that lets in the hub and some groups, and
// gives the file of each one's credentials.
func natsWithAccounts(t *testing.T, groups ...string) (url string, keys func(string) string) {
	t.Helper()
	a, err := access.Open(t.TempDir())
	for _, group := range groups {
		if err == nil {
			err = a.Add(group)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	nats, err := a.Serve(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Close)
	return nats.URL(), a.SeedFile
}

// settle puts a Deployment into a region's namespace, and gives the group its
// rights there and nowhere else.
func settle(t *testing.T, cluster *lab.Cluster, r region) {
	t.Helper()
	role := kubernetes.ClusterRole(r.group, &kubernetes.Restart{}, &kubernetes.Rollout{})
	if _, err := cluster.Client().RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: r.group, Namespace: r.namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: r.group}},
	}
	if _, err := cluster.Client().RbacV1().RoleBindings(r.namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	d := lab.Deployment(r.namespace, "web", 1)
	if _, err := cluster.Client().AppsV1().Deployments(r.namespace).Create(t.Context(), d, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := cluster.WaitAvailable(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

func breaks(t *testing.T, hub *app.App, r region) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"version": "4", "status": "firing", "alerts": []any{map[string]any{
		"status": "firing", "fingerprint": r.cluster, "startsAt": time.Now().UTC(),
		"labels": map[string]string{"alertname": "Down", "cluster": r.cluster, "namespace": r.namespace},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+hub.Addr().String()+"/v1/webhooks/am", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("answered %s, %v", resp.Status, err)
	}
}

// checkGroups reads in the ledger that every task about a region went to its
// group, and was answered by that group's workers.
func checkGroups(t *testing.T, hub *app.App, regions []region) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	last, err := hub.Bus().LedgerLast(ctx)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := hub.Bus().Ledger(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	fold, group, kinds := ledger.NewFold(), map[string]string{}, map[string]int{}
	for seq := uint64(0); seq < last; {
		m, err := reader.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		seq = m.Seq
		rec, err := fold.Take(m.Seq, m.Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range rec.Events {
			switch ev := ev.(type) {
			case engine.TaskIssued:
				group[ev.Task.ID] = ev.Task.Group
				kinds[ev.Task.Target.Cluster+" "+string(ev.Task.Kind)+" "+ev.Task.Group]++
			case engine.TaskAnswered:
				if want := group[ev.Result.Task]; ev.Result.Group != want || !strings.HasSuffix(ev.Result.Worker, "-"+want) {
					t.Errorf("task %s of group %s was answered by %s of group %s", ev.Result.Task, want, ev.Result.Worker, ev.Result.Group)
				}
			}
		}
	}
	for _, r := range regions {
		for kind, queue := range map[engine.TaskKind]string{
			engine.TaskPlan: r.group, engine.TaskExecute: r.group,
			engine.TaskCheck: engine.VerifyGroup(r.group), engine.TaskVerify: engine.VerifyGroup(r.group),
		} {
			key := r.cluster + " " + string(kind) + " " + queue
			if kinds[key] == 0 {
				t.Errorf("no task %q: %v", key, kinds)
			}
			delete(kinds, key)
		}
	}
	if len(kinds) > 0 {
		t.Errorf("and tasks %v", kinds)
	}
}

// TestWhoWorksForSomethingMustReachIt: a process cannot do what it has no keys for,
// nor wait for a group that nobody works for.
func TestWhoWorksForSomethingMustReachIt(t *testing.T) {
	t.Parallel()
	lookFrom := func(group string) string {
		return strings.Replace(groupRules, "check:", "from: "+group+"\n          check:", 1)
	}
	for name, c := range map[string]struct {
		config, rules string
		says          []string // none: it starts
	}{
		"a cluster":                 {config: "clusters: {korea: {group: seoul}}\nworker: {group: seoul}\n", says: []string{`"korea"`, "kubeconfig"}},
		"a Redis":                   {config: "redis: {cache: {group: seoul}}\nworker: {group: seoul}\n", says: []string{`redis "cache"`, "sentinel"}},
		"an account":                {config: "azure: {theirs: {group: seoul}}\nworker: {group: seoul}\n", says: []string{`azure account "theirs"`, "subscription"}},
		"others' Redis and account": {config: "redis: {cache: {group: tokyo}}\nazure: {theirs: {group: tokyo}}\n"},
		"a group that is known":     {config: "clusters: {japan: {group: tokyo}}\n", rules: lookFrom("tokyo")},
		"a group that is not":       {config: "clusters: {japan: {group: tokyo}}\n", rules: lookFrom("osaka"), says: []string{"rule restart: attempt restart: from: osaka", "default, tokyo"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, c.config)
			if c.rules != "" {
				if err := os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(c.rules), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if len(c.says) == 0 {
				start(t, dir)
				return
			}
			cfg, err := config.Load(filepath.Join(dir, "paramedic.yaml"), config.ProcessEnv())
			if err != nil {
				t.Fatal(err)
			}
			_, err = app.Start(t.Context(), app.Options{Config: cfg, Version: "test", Logger: slog.New(slog.DiscardHandler)})
			for _, part := range c.says {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("started: %v, want %q", err, part)
				}
			}
		})
	}
}
