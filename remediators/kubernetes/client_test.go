package kubernetes

import (
	"go/build"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestClientsetIsNotImported keeps the build short; see [Client].
func TestClientsetIsNotImported(t *testing.T) {
	t.Parallel()
	product, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range product.Imports {
		for _, heavy := range []string{"kubernetes", "applyconfigurations", "dynamic", "discovery", "informers"} {
			if root := "k8s.io/client-go/" + heavy; path == root || strings.HasPrefix(path, root+"/") {
				t.Errorf("%s is imported", path)
			}
		}
	}
}

// TestOneLimit proves that watches and the rest do not send twice as much together.
func TestOneLimit(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	const text = `{apiVersion: v1, kind: Config, current-context: k, contexts: [{name: k, context: {cluster: k}}],
		clusters: [{name: k, cluster: {server: "https://kubernetes.invalid"}}]}`
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "\t", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		given, want float32
	}{{0, defaultQPS}, {7, 7}} {
		client, err := Connect(ClusterConfig{Kubeconfig: file, QPS: c.given, Burst: 3}, "test")
		if err != nil {
			t.Fatal(err)
		}
		limit := client.api.GetRateLimiter()
		if limit.QPS() != c.want {
			t.Errorf("%v requests a second, want %v", limit.QPS(), c.want)
		}
		if client.streams.GetRateLimiter() != limit {
			t.Error("watches have a limit of their own")
		}
	}
	for _, c := range []ClusterConfig{{Kubeconfig: file, QPS: -1}, {Kubeconfig: file, Burst: -1}} {
		if _, err := Connect(c, "test"); err == nil || !strings.Contains(err.Error(), "-1") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
