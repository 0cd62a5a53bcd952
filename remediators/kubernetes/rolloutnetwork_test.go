package kubernetes_test

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

// gate stands between a watch and the API server.
type gate struct {
	server *httptest.Server

	mu sync.Mutex
	// alter may change a request, or refuse it by returning false.
	alter func(*nethttp.Request) bool
	open  map[*nethttp.Request]context.CancelFunc
}

func (b *bed) gate(t *testing.T) *gate {
	t.Helper()
	u := must(url.Parse(b.URL()))(t)
	g := &gate{open: map[*nethttp.Request]context.CancelFunc{}, alter: func(*nethttp.Request) bool { return true }}
	upstream := &httputil.ReverseProxy{
		Transport: b.transport(t), FlushInterval: -1,
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(u) },
		ErrorHandler: func(nethttp.ResponseWriter, *nethttp.Request, error) { panic(nethttp.ErrAbortHandler) },
	}
	g.server = httptest.NewUnstartedServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		g.mu.Lock()
		pass := g.alter(r)
		if pass {
			g.open[r] = cancel
		}
		g.mu.Unlock()
		defer func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			delete(g.open, r)
		}()
		if !pass {
			panic(nethttp.ErrAbortHandler)
		}
		if r.URL.Path == "/expired" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, expired)
			return
		}
		upstream.ServeHTTP(w, r.WithContext(ctx))
	}))
	g.server.EnableHTTP2 = true
	g.server.StartTLS()
	t.Cleanup(func() {
		g.set(func(*nethttp.Request) bool { return false })
		g.server.Close()
	})
	return g
}

// set makes a rule for all requests to come, and ends those that are under way.
func (g *gate) set(alter func(*nethttp.Request) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.alter = alter
	for _, end := range g.open {
		end()
	}
}

func (b *bed) behind(t *testing.T, g *gate, user string) *kubernetes.Client {
	t.Helper()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.server.Certificate().Raw})
	return b.through(t, user, &clientcmdapi.Cluster{Server: g.server.URL, CertificateAuthorityData: ca})[korea]
}

// expired is what an API server answers a watch from a version that it has forgotten.
// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#410-gone-responses
const expired = `{"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
	"message": "too old resource version: 1 (2)", "reason": "Expired", "code": 410}}` + "\n"

func isWatch(r *nethttp.Request) bool { return r.URL.Query().Get("watch") != "" }

func watchSurvivesNetwork(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	g := b.gate(t)
	all := b.workloads(t, namespace)
	w := watch(t, b.behind(t, g, watcher), kubernetes.WatchOptions{Namespace: namespace})
	var ones, twos []kubernetes.RolloutState
	for _, at := range all {
		ones = append(ones, w.reaches(t, at.Name, kubernetes.RolloutComplete))
	}
	w.current(t)
	told := len(w.all())

	// The end of a stream is nothing that anybody needs to hear of.
	g.set(func(*nethttp.Request) bool { return true })
	for i, at := range all {
		b.patchPods(t, at, newImage)
		twos = append(twos, w.reaches(t, at.Name, kubernetes.RolloutComplete, ones[i]))
	}
	if s := w.synced(); len(s) != 1 || !s[0].Current || s[0].Since.IsZero() {
		t.Errorf("after a stream ended: %+v", s)
	}
	for _, s := range w.all()[told:] {
		if !slices.ContainsFunc(twos, func(two kubernetes.RolloutState) bool { return two.Rollout == s.Rollout }) {
			t.Errorf("told again: %+v", s)
		}
	}

	// The cluster is away while one workload is rolled out twice, so that it ends
	// with the template it had, and another is deleted.
	away := time.Now()
	g.set(func(*nethttp.Request) bool { return false })
	eventually(t, "the loss to be told", func() bool { return len(w.synced()) == 2 })
	if s := w.synced()[1]; s.Current || s.Err == nil || s.Since.Before(away) || !strings.Contains(s.Err.Error(), "list") {
		t.Errorf("away: %+v", s)
	}
	for _, at := range all[:2] {
		for _, image := range []string{oldImage, newImage} {
			b.patchPods(t, at, image)
			r := kubernetes.NewRollout(b.clusters(t, prober))
			eventually(t, "the rollout", func() bool { return must(r.Probe(t.Context(), at, []byte(`"complete"`)))(t).OK })
		}
	}
	b.remove(t, all[2])

	// Back, the API server says that it no longer has what was missed.
	var answered int
	g.set(func(r *nethttp.Request) bool {
		if isWatch(r) && answered < 6 {
			answered++
			r.URL.Path = "/expired"
		}
		return true
	})
	for i, at := range all[:2] {
		four := w.reaches(t, at.Name, kubernetes.RolloutComplete, ones[i], twos[i])
		if four.Revision != "4" || !slices.Equal(four.Images, twos[i].Images) {
			t.Errorf("rolled out twice meanwhile: %+v", four)
		}
	}
	eventually(t, "the deleted one to be gone", func() bool { return w.last(all[2].Name).Gone })
	eventually(t, "the watch to be current", func() bool { s := w.synced(); return s[len(s)-1].Current })
	three := must(b.Client().AppsV1().Deployments(namespace).Get(t.Context(), all[0].Name, metav1.GetOptions{}))(t)
	b.patchPods(t, all[0], oldImage)
	w.reaches(t, all[0].Name, kubernetes.RolloutComplete, ones[0], twos[0], w.last(all[0].Name))
	if three.Annotations[revisionAnnotation] != "4" {
		t.Errorf("the cluster counts %s", three.Annotations[revisionAnnotation])
	}

	// The history cannot be read for a while.
	g.set(func(r *nethttp.Request) bool { return !strings.Contains(r.URL.Path, "replicasets") })
	before := w.last(all[0].Name)
	syncs := len(w.synced())
	b.patchPods(t, all[0], newImage)
	eventually(t, "that to be told", func() bool {
		s := w.synced()
		return len(s) > syncs && !s[len(s)-1].Current && strings.Contains(s[len(s)-1].Err.Error(), "ReplicaSets of Deployment")
	})
	if s := w.last(all[0].Name); s.Rollout != before.Rollout || s.Phase != before.Phase {
		t.Errorf("told of what is not known: %+v", s)
	}
	g.set(func(*nethttp.Request) bool { return true })
	w.reaches(t, all[0].Name, kubernetes.RolloutComplete, before)
	eventually(t, "the watch to be current", func() bool { s := w.synced(); return s[len(s)-1].Current })
}

func watchIsNarrowed(t *testing.T, b *bed) {
	namespace, other := b.Namespace(t), b.Namespace(t)
	client := b.clusters(t, watcher)[korea]
	all := b.workloads(t, namespace)
	all = append(all, b.workloads(t, other)...)
	everything := watch(t, client, kubernetes.WatchOptions{})
	for _, at := range all {
		everything.reaches(t, at.Name, kubernetes.RolloutComplete)
	}
	kind := watch(t, client, kubernetes.WatchOptions{Namespace: other, Kind: "StatefulSet"})
	name := watch(t, client, kubernetes.WatchOptions{Name: all[2].Name})
	kind.current(t)
	name.current(t)
	if got := kind.all(); len(got) != 1 || got[0].Name != all[4].Name {
		t.Errorf("of one kind in one namespace: %+v", got)
	}
	if got := name.all(); len(got) != 1 || got[0].Name != all[2].Name {
		t.Errorf("of one name: %+v", got)
	}

	enough := errors.New("enough")
	err := client.WatchRollouts(t.Context(), kubernetes.WatchOptions{}, func(kubernetes.RolloutState) error { return enough })
	if !errors.Is(err, enough) {
		t.Errorf("ended with %v", err)
	}
	for _, o := range []kubernetes.WatchOptions{{Kind: "Pod"}, {Deadline: -1}} {
		if err := client.WatchRollouts(t.Context(), o, nil); remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// watchWithoutRights takes each right away in turn.
func watchWithoutRights(t *testing.T, b *bed) {
	namespace := b.Namespace(t)
	all := b.workloads(t, namespace)
	ready := watch(t, b.clusters(t, watcher)[korea], kubernetes.WatchOptions{Namespace: namespace})
	for _, at := range all {
		ready.reaches(t, at.Name, kubernetes.RolloutComplete)
	}
	client := b.clusters(t, lab.Outsider)[korea]
	rbac := b.Client().RbacV1()
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "some"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "some"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: lab.Outsider}},
	}
	role := must(rbac.Roles(namespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "some"}}, metav1.CreateOptions{}))(t)
	must(rbac.RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{}))(t)
	whole := kubernetes.ClusterRole("x", kubernetes.WatchOptions{}).Rules
	for _, rule := range whole {
		for _, resource := range rule.Resources {
			for _, verb := range rule.Verbs {
				role.Rules = without(whole, resource, verb)
				role = must(rbac.Roles(namespace).Update(t.Context(), role, metav1.UpdateOptions{}))(t)
				// The authorizer hears of it a moment later.
				eventually(t, verb+" "+resource+" to be missed", func() bool {
					ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
					defer cancel()
					err := client.WatchRollouts(ctx, kubernetes.WatchOptions{Namespace: namespace}, func(kubernetes.RolloutState) error { return nil })
					if err == nil {
						t.Fatal("a watch ended without an error")
					}
					return remediators.ClassOf(err) == engine.ClassTerminal && strings.Contains(err.Error(), "cannot "+verb+` resource "`+resource+`"`)
				})
			}
		}
	}
}

func without(rules []rbacv1.PolicyRule, resource, verb string) []rbacv1.PolicyRule {
	var left []rbacv1.PolicyRule
	for _, r := range rules {
		for _, res := range r.Resources {
			verbs := slices.DeleteFunc(slices.Clone(r.Verbs), func(v string) bool { return res == resource && v == verb })
			if len(verbs) > 0 {
				left = append(left, rbacv1.PolicyRule{APIGroups: r.APIGroups, Resources: []string{res}, Verbs: verbs})
			}
		}
	}
	return left
}
