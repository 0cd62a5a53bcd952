package lab

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Kubernetes starts a cluster for the test and its subtests, which knows the given users beside the standing ones.
// It ends with the test; if that has failed, the servers' logs are shown.
func Kubernetes(tb testing.TB, users ...User) *Cluster {
	tb.Helper()
	cluster, err := StartKubernetes(tb.Context(), Options{Users: users, Folder: tb.TempDir(), Progress: tb.Output()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			for name, log := range cluster.Logs() {
				tb.Logf("--- end of the log of %s ---\n%s", name, log)
			}
		}
		if err := cluster.Stop(); err != nil {
			tb.Errorf("stop the cluster: %v", err)
		}
	})
	return cluster
}

// Namespace makes a namespace of the test's own and returns its name. It is not deleted: the cluster's end is sooner.
func (c *Cluster) Namespace(tb testing.TB) string {
	tb.Helper()
	made, err := c.client.CoreV1().Namespaces().Create(tb.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	if err != nil {
		tb.Fatalf("make a namespace: %v", err)
	}
	return made.Name
}

// RunAlertmanager starts an Alertmanager with the configuration for the test. It ends with the test; if that has
// failed, its log is shown.
func RunAlertmanager(tb testing.TB, config string) *Alertmanager {
	tb.Helper()
	a, err := StartAlertmanager(tb.Context(), AlertmanagerOptions{Config: config, Folder: tb.TempDir(), Progress: tb.Output()})
	if err != nil {
		tb.Fatal(err)
	}
	cleanUp(tb, a)
	return a
}

// RunAlertmanagerPair is like RunAlertmanager for two replicas that know each other.
func RunAlertmanagerPair(tb testing.TB, config string) [2]*Alertmanager {
	tb.Helper()
	pair, err := StartAlertmanagerPair(tb.Context(), AlertmanagerOptions{Config: config, Folder: tb.TempDir(), Progress: tb.Output()})
	if err != nil {
		tb.Fatal(err)
	}
	cleanUp(tb, pair[0])
	cleanUp(tb, pair[1])
	return pair
}

func cleanUp(tb testing.TB, a *Alertmanager) {
	tb.Helper()
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("--- end of the log of alertmanager at %s ---\n%s", a.URL(), strings.TrimSpace(a.Log()))
		}
		if err := a.Stop(); err != nil {
			tb.Errorf("stop Alertmanager: %v", err)
		}
	})
}
