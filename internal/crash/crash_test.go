package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/tripgen/paramedic/internal/lab"
)

// TestMain lets the test binary be the child, too.
func TestMain(m *testing.M) {
	if _, yes, _ := isChild(); yes {
		os.Exit(run())
	}
	os.Exit(m.Run())
}

func TestPromisesSurviveKills(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	st, err := newStage(t.Context(), program, t.ArtifactDir(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Run("at every point", func(t *testing.T) {
		c := &campaign{stage: st, points: append(namedPoints(), atRandom), kills: 1, parallel: 4, seed: 1, out: t.Output(), verbose: true}
		if err := c.run(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("not those of a build without a fence", func(t *testing.T) {
		unfenced := *st
		unfenced.kubeconfig = withoutFence(t, st.cluster)
		o, err := unfenced.play(t.Context(), plan{Point: "unfenced", Kills: []kill{{Point: "worker.call.after", Nth: 1}}})
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`: [2-9] changes by the audit log`).MatchString
		if !slices.ContainsFunc(o.Violations, found) {
			t.Errorf("a second change was not found out; found were %q", o.Violations)
		}
	})
}

// withoutFence makes a kubeconfig through which Paramedic's changes reach the
// API server without their resourceVersion and without the marks of their task,
// as if its remediator did not know of either.
func withoutFence(t *testing.T, cluster *lab.Cluster) string {
	t.Helper()
	config, err := cluster.ConfigFor(lab.Paramedic)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			if r.In.Method == http.MethodPatch {
				if err := strip(r.Out); err != nil {
					t.Errorf("strip a change of its fence: %v", err)
				}
			}
		},
	})
	t.Cleanup(proxy.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "p",
		"clusters": [{"name": "p", "cluster": {"server": %q}}], "contexts": [{"name": "p", "context": {"cluster": "p"}}]}`, proxy.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func strip(r *http.Request) error {
	var body struct {
		Spec struct {
			Template struct {
				Metadata struct {
					Annotations map[string]string `json:"annotations"`
				} `json:"metadata"`
			} `json:"template"`
		} `json:"spec"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	delete(body.Spec.Template.Metadata.Annotations, "paramedic.dev/task")
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return nil
}
