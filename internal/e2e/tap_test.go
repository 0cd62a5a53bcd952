package e2e_test

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
	"sync"
	"testing"

	"github.com/tripgen/paramedic/internal/e2e"
)

// tap stands between Alertmanager and Paramedic and keeps what goes through, so
// that it can be sent once more.
type tap struct {
	url    string
	client *http.Client

	mu     sync.Mutex
	passed []delivery
}

// delivery is one webhook that Paramedic accepted.
type delivery struct {
	header http.Header
	body   []byte
	// status and namespace are the group's.
	status, namespace string
}

func newTap(t *testing.T, p *e2e.Paramedic) *tap {
	t.Helper()
	to, err := url.Parse("http://" + p.Address)
	if err != nil {
		t.Fatal(err)
	}
	tp := &tap{client: &http.Client{}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			if d, ok := r.Request.Context().Value(deliveryKey{}).(delivery); ok && r.StatusCode == http.StatusAccepted {
				tp.mu.Lock()
				defer tp.mu.Unlock()
				tp.passed = append(tp.passed, d)
			}
			return nil
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, err := read(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), deliveryKey{}, d)))
	}))
	t.Cleanup(server.Close)
	tp.url = server.URL + "/v1/webhooks/" + e2e.Source
	return tp
}

type deliveryKey struct{}

func read(r *http.Request) (delivery, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return delivery{}, fmt.Errorf("webhook: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var message struct {
		Status      string            `json:"status"`
		GroupLabels map[string]string `json:"groupLabels"`
	}
	if err := json.Unmarshal(body, &message); err != nil {
		return delivery{}, fmt.Errorf("webhook: %w", err)
	}
	return delivery{header: r.Header.Clone(), body: body, status: message.Status, namespace: message.GroupLabels["namespace"]}, nil
}

// of returns what was accepted for a namespace, with the status.
func (tp *tap) of(namespace, status string) []delivery {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	var found []delivery
	for _, d := range tp.passed {
		if d.namespace == namespace && d.status == status {
			found = append(found, d)
		}
	}
	return found
}

// again sends a delivery once more, as it was.
func (tp *tap) again(ctx context.Context, d delivery) (err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, tp.url, bytes.NewReader(d.body))
	if err != nil {
		return err
	}
	r.Header = d.header
	resp, err := tp.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("redelivery: %s", resp.Status)
	}
	return nil
}
