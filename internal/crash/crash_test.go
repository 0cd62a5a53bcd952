package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators/kubernetes"
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
// as if its remediator did not know of either. The answers show the mark, so
// that each call counts as made.
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
			if r.In.Method != http.MethodPatch {
				return
			}
			task, err := strip(r.Out)
			if err != nil {
				t.Errorf("strip a change of its fence: %v", err)
			}
			r.Out = r.Out.WithContext(context.WithValue(r.Out.Context(), taskKey{}, task))
		},
		ModifyResponse: func(r *http.Response) error {
			if task, ok := r.Request.Context().Value(taskKey{}).(string); ok && r.StatusCode == http.StatusOK {
				return mark(r, task)
			}
			return nil
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

type taskKey struct{}

// strip leaves nothing of a change but the time of the restart, and returns the
// task that it is for.
func strip(r *http.Request) (task string, err error) {
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
		return "", fmt.Errorf("decode: %w", err)
	}
	task = body.Spec.Template.Metadata.Annotations[kubernetes.TaskAnnotation]
	delete(body.Spec.Template.Metadata.Annotations, kubernetes.TaskAnnotation)
	text, err := json.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("encode: %w", err)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return task, nil
}

// mark puts the task into the object that the API server answered with.
func mark(r *http.Response, task string) error {
	var object struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
	}
	if err := errors.Join(json.NewDecoder(r.Body).Decode(&object), r.Body.Close()); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	metav1.SetMetaDataAnnotation(&object.ObjectMeta, kubernetes.TaskAnnotation, task)
	text, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	r.Header.Del("Content-Length")
	return nil
}
