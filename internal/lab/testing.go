package lab

import (
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/lab/binaries"
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

// Prometheus starts a Prometheus for the test; it fills in the options' Folder and Progress. It ends with the test; if
// that has failed, its log is shown.
func Prometheus(tb testing.TB, options PrometheusOptions) *PrometheusServer {
	tb.Helper()
	options.Folder, options.Progress = tb.TempDir(), tb.Output()
	p, err := StartPrometheus(tb.Context(), options)
	if err != nil {
		tb.Fatal(err)
	}
	cleanUp(tb, p)
	return p
}

// Redis starts a Redis server for the test; it fills in the options' Folder and Progress. It ends with the test; if
// that has failed, its log is shown.
func Redis(tb testing.TB, options RedisOptions) *RedisServer {
	tb.Helper()
	options.Folder, options.Progress = tb.TempDir(), tb.Output()
	r, err := StartRedis(tb.Context(), options)
	if err != nil {
		tb.Fatal(err)
	}
	cleanUp(tb, r)
	return r
}

// Promtool returns the path of promtool, of the same version as the Prometheus of the lab.
func Promtool(tb testing.TB) string {
	tb.Helper()
	built, err := prometheusBundle(tb.Context(), tb.Output())
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(built, binaries.Promtool)
}

// server is one process that a test has to itself.
type server interface {
	URL() string
	Log() string
	Stop() error
}

func cleanUp(tb testing.TB, s server) {
	tb.Helper()
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("--- end of the log of %T at %s ---\n%s", s, s.URL(), strings.TrimSpace(s.Log()))
		}
		if err := s.Stop(); err != nil {
			tb.Errorf("stop %T: %v", s, err)
		}
	})
}
