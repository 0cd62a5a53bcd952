package kubernetes_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	nethttp "net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

// The users that have each exactly the rights of one thing.
const (
	restarter = "restarter"
	scaler    = "scaler"
	prober    = "prober"
	watcher   = "watcher"
	roller    = "roller"
	annotator = "annotator"
	switcher  = "switcher"
	runner    = "runner"
	noter     = "noter"
	raiser    = "raiser"
	stopper   = "stopper"
	starter   = "starter"
)

const korea = "korea"

// dryRun is what a request has in its query that changes nothing.
const dryRun = "dryRun=All"

// keep is a finalizer: what has it stays, being deleted.
const keep = "lab.paramedic.dev/keep"

// bed is the real cluster that the tests share, one namespace for each.
type bed struct {
	*lab.Cluster
	names atomic.Int64
}

// TestMain has more cases wait for the one cluster at a time than there are
// processors: mostly they wait for its controllers.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("6"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// TestOnRealCluster has everything that needs one, so that one is enough.
func TestOnRealCluster(t *testing.T) {
	t.Parallel()
	b := &bed{Cluster: lab.Kubernetes(t, lab.User{Name: restarter}, lab.User{Name: scaler}, lab.User{Name: prober}, lab.User{Name: watcher}, lab.User{Name: roller}, lab.User{Name: annotator}, lab.User{Name: noter}, lab.User{Name: raiser}, lab.User{Name: evictor}, lab.User{Name: cordoner}, lab.User{Name: drainer}, lab.User{Name: cleaner}, lab.User{Name: switcher}, lab.User{Name: runner}, lab.User{Name: stopper}, lab.User{Name: starter})}
	b.CRDs(t, lab.Keda(), lab.VerticalAutoscaler())
	b.allow(t, restarter, &kubernetes.Restart{})
	b.allow(t, scaler, &kubernetes.Scale{})
	b.allow(t, stopper, &kubernetes.ScaleToZero{})
	b.allow(t, starter, &kubernetes.Restore{})
	b.allow(t, prober, &kubernetes.Rollout{})
	b.allow(t, watcher, kubernetes.WatchOptions{})
	b.allow(t, roller, &kubernetes.Rollback{})
	b.allow(t, switcher, &kubernetes.Switch{})
	b.allow(t, runner, &kubernetes.Job{})
	b.allow(t, evictor, &kubernetes.Evict{})
	b.allow(t, cordoner, &kubernetes.Cordon{})
	b.allow(t, drainer, &kubernetes.Drain{})
	b.allow(t, cleaner, &kubernetes.Cleanup{})
	b.allow(t, annotator, &kubernetes.Annotate{})
	b.allow(t, raiser, &kubernetes.Memory{})
	b.allow(t, noter, kubernetes.For(&kubernetes.Annotate{}, "Deployment"))
	for _, c := range []struct {
		name string
		run  func(*testing.T, *bed)
	}{
		{"restart conforms", restartConforms},
		{"restart conforms on a StatefulSet", restartConformsOnStatefulSet},
		{"scale conforms", scaleConforms},
		{"scale conforms with an autoscaler", scaleConformsWithAutoscaler},
		{"scale conforms with KEDA", scaleConformsWithKeda},
		{"scale raises an autoscaler's minimum", scaleRaisesAutoscaler},
		{"scale raises KEDA's minimum", scaleRaisesKeda},
		{"scale does not wait for ever", scaleDoesNotWaitForEver},
		{"scale respects disruption budgets", scaleRespectsBudgets},
		{"scale respects quotas", scaleRespectsQuotas},
		{"a removed mark of an autoscaler", autoscalerMarksRemoved},
		{"scale to zero conforms", stopConforms},
		{"scale to zero conforms with KEDA", stopConformsWithKeda},
		{"scale to zero conforms on a namespace", stopConformsOnNamespace},
		{"restore conforms", restoreConforms},
		{"scale to zero of a namespace", stopsNamespace},
		{"scale to zero in part", stopsInPart},
		{"scale to zero refuses", stopRefuses},
		{"restart replaces the pods", restartReplacesPods},
		{"restart finds the controller", restartFindsController},
		{"restart refuses", restartRefuses},
		{"restart knows its own task", restartKnowsItsTask},
		{"a status in between is no change", statusInBetween},
		{"what makes a generation", generations},
		{"a removed mark is not taken for undone", marksRemoved},
		{"no rights", noRights},
		{"scale refuses", scaleRefuses},
		{"scale undoes what was only observed", scaleUndoesObserved},
		{"scale undoes only what it shows", scaleUndoesWhatItShows},
		{"plans tell health", plansTellHealth},
		{"rollout", rollouts},
		{"replicas ready", replicasReady},
		{"rollback conforms", rollbackConforms},
		{"rollback conforms on a DaemonSet", rollbackConformsOnDaemonSet},
		{"rollback goes back", rollbackGoesBack},
		{"rollback of a StatefulSet and a DaemonSet", rollbackOfTheOthers},
		{"rollback refuses", rollbackRefuses},
		{"evict conforms", evictConforms},
		{"evict replaces one pod", evictReplacesOnePod},
		{"evict honours budgets", evictHonoursBudgets},
		{"evict refuses", evictRefuses},
		{"cordon conforms", cordonConforms},
		{"cordon plans", cordonPlans},
		{"cordon undo", cordonUndo},
		{"drain conforms", drainConforms},
		{"drain empties a node", drainEmptiesANode},
		{"drain goes on", drainGoesOn},
		{"drain refuses", drainRefuses},
		{"cleanup conforms", cleanupConforms},
		{"cleanup of volumes", cleanupOfVolumes},
		{"cleanup spares", cleanupSpares},
		{"cleanup of load balancers", cleanupOfBalancers},
		{"cleanup refuses", cleanupRefuses},
		{"memory in place conforms", resizeConforms},
		{"memory by rollout conforms", rolloutOfMemoryConforms},
		{"memory by an autoscaler conforms", autoscalerConforms},
		{"memory through an autoscaler", memoryThroughAutoscaler},
		{"memory beside an autoscaler", memoryBesideAutoscaler},
		{"memory of each pod", resizesEachPod},
		{"memory is taken up", resizeIsTakenUp},
		{"memory chooses the way", memoryChoosesTheWay},
		{"memory rolls out", memoryRollsOut},
		{"memory refuses", memoryRefuses},
		{"memory tells kubelets", resizeTellsKubelets},
		{"annotate conforms", annotateConforms},
		{"annotate of every kind", annotateEveryKind},
		{"annotate only what it may", annotateOnlyWhatItMay},
		{"switch conforms", switchConforms},
		{"switch switches", switchSwitches},
		{"switch waits for ready pods", switchWaitsForReady},
		{"switch refuses", switchRefuses},
		{"job conforms", jobConforms},
		{"job runs", jobRuns},
		{"job fails", jobFails},
		{"job goes on", jobGoesOn},
		{"job refuses", jobRefuses},
		{"watch tells rollouts", watchTellsRollouts},
		{"watch tells what is held up", watchTellsHeldUp},
		{"watch takes no rollout for another", watchTakesNoRolloutForAnother},
		{"watch tells old from stuck", watchTellsOldFromStuck},
		{"watch survives the network", watchSurvivesNetwork},
		{"watch is narrowed", watchIsNarrowed},
		{"watch without rights", watchWithoutRights},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t, b)
		})
	}
}

// allow gives a user the rights that something says it needs.
func (b *bed) allow(t *testing.T, user string, needs kubernetes.Ruled) {
	t.Helper()
	rbac := b.Client().RbacV1()
	if _, err := rbac.ClusterRoles().Create(t.Context(), kubernetes.ClusterRole(user, needs), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
	if _, err := rbac.ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// clusters connects as a user to the API server itself.
func (b *bed) clusters(t *testing.T, user string) kubernetes.Clusters {
	t.Helper()
	return b.through(t, user, &clientcmdapi.Cluster{Server: b.URL(), CertificateAuthority: b.CAFile()})
}

func (b *bed) through(t *testing.T, user string, cluster *clientcmdapi.Cluster) kubernetes.Clusters {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:  map[string]*clientcmdapi.Cluster{"c": cluster},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{"u": {Token: b.token(t, user)}},
		Contexts:  map[string]*clientcmdapi.Context{"the-context": {Cluster: "c", AuthInfo: "u"}},
	}, file)
	if err != nil {
		t.Fatal(err)
	}
	made, err := kubernetes.Connect(kubernetes.ClusterConfig{Kubeconfig: file, Context: "the-context"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return kubernetes.Clusters{korea: made}
}

func (b *bed) token(t *testing.T, user string) string {
	t.Helper()
	token, err := b.Token(user)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// transport is how a proxy reaches the API server.
func (b *bed) transport(t *testing.T) nethttp.RoundTripper {
	t.Helper()
	authority, err := os.ReadFile(b.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		t.Fatalf("no certificate in %s", b.CAFile())
	}
	return &nethttp.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
}

func (b *bed) name(prefix string) string { return fmt.Sprintf("%s-%d", prefix, b.names.Add(1)) }

// deployment makes one, changed before it is made, and waits until its controller
// has nothing more to write.
func (b *bed) deployment(t *testing.T, namespace string, replicas int32, change func(*appsv1.Deployment)) *appsv1.Deployment {
	t.Helper()
	d := lab.Deployment(namespace, b.name("service"), replicas)
	if change != nil {
		change(d)
	}
	d = must(b.Client().AppsV1().Deployments(namespace).Create(t.Context(), d, metav1.CreateOptions{}))(t)
	b.settle(t, d)
	return d
}

func (b *bed) settle(t *testing.T, d *appsv1.Deployment) {
	t.Helper()
	if err := b.WaitAvailable(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the rollout to be declared over", func() bool {
		got := must(b.Client().AppsV1().Deployments(d.Namespace).Get(t.Context(), d.Name, metav1.GetOptions{}))(t)
		for i := range got.Status.Conditions {
			if c := got.Status.Conditions[i]; c.Type == appsv1.DeploymentProgressing && c.Reason == "NewReplicaSetAvailable" {
				return got.Status.ObservedGeneration == got.Generation
			}
		}
		return false
	})
}

func (b *bed) statefulSet(t *testing.T, namespace string, replicas int32, change func(*appsv1.StatefulSet)) *appsv1.StatefulSet {
	t.Helper()
	s := lab.StatefulSet(namespace, b.name("store"), replicas)
	if change != nil {
		change(s)
	}
	s = must(b.Client().AppsV1().StatefulSets(namespace).Create(t.Context(), s, metav1.CreateOptions{}))(t)
	if err := b.WaitAvailable(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return s
}

// patches counts the patches by user that the API server has accepted, by its own
// audit log.
func (b *bed) patches(t *testing.T, user, namespace, name string) int {
	t.Helper()
	entries := must(b.Audit(t.Context(), lab.AuditFilter{User: user, Namespace: namespace, Name: name}))(t)
	n := 0
	for _, e := range entries {
		if e.UserAgent != "paramedic/test" {
			t.Errorf("%s shows itself as %q", user, e.UserAgent)
		}
		if e.Verb != "patch" || e.Subresource != "" {
			t.Errorf("%s did %s %s, which is no patch of the object itself", user, e.Verb, e.URI)
		}
		if e.Code == nethttp.StatusOK {
			n++
		}
	}
	return n
}

func target(kind, namespace, name string) engine.Target {
	return engine.Target{System: engine.SystemKubernetes, Cluster: korea, Namespace: namespace, Kind: kind, Name: name}
}

// task is one to execute.
func task(id string, target engine.Target, params string) engine.Task {
	return engine.Task{ID: id, Kind: engine.TaskExecute, Target: target, Params: json.RawMessage(params), Timeout: 20 * time.Second}
}

func (b *bed) subject(t *testing.T, user string, protocol remediatortest.Protocol, open func(clusters kubernetes.Clusters) remediatortest.Bench) remediatortest.Subject {
	t.Helper()
	return remediatortest.Subject{
		Target: b.URL(), Transport: b.transport(t), Protocol: protocol, Secrets: []string{b.token(t, user)},
		Reads: func(r *nethttp.Request) bool { return strings.Contains(r.URL.RawQuery, dryRun) },
		Open: func(t *testing.T, end remediatortest.End) remediatortest.Bench {
			ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: end.Certificate.Raw})
			return open(b.through(t, user, &clientcmdapi.Cluster{Server: end.URL, CertificateAuthorityData: ca}))
		},
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// eventually waits for what a controller does in its own time.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.NewTimer(60 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
