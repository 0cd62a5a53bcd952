package tcp_test

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators/remediatortest"
	"github.com/tripgen/paramedic/remediators/tcp"
)

// listen answers every connection with the parts of a greeting, and keeps it open.
func listen(t *testing.T, greeting ...string) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			for _, part := range greeting {
				_, _ = conn.Write([]byte(part))
			}
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func TestProbe(t *testing.T) {
	t.Parallel()
	silent, smtp := listen(t), listen(t, "220 ma", "il ready\r\n", strings.Repeat("x", 5000))
	for _, c := range []struct {
		params string
		ok     bool
		detail string
	}{
		{fmt.Sprintf(`{"address": %q}`, silent), true, "open"},
		{fmt.Sprintf(`{"address": %q, "greeting": "220 mail"}`, smtp), true, "open"},
		{fmt.Sprintf(`{"address": %q, "greeting": "SSH-2.0"}`, smtp), false, "something else"},
		{fmt.Sprintf(`{"address": %q, "greeting": "SSH-2.0", "timeout": "50ms"}`, silent), false, "in time"},
		{`{"address": "127.0.0.1:1"}`, false, "refused"},
		{`{"address": "does-not-exist.invalid:80", "timeout": "2s"}`, false, "does-not-exist.invalid"},
	} {
		check, err := tcp.NewProbe().Probe(t.Context(), engine.Target{}, json.RawMessage(c.params))
		if err != nil || check.OK != c.ok || check.Kind != "tcp" || !strings.Contains(check.Detail, c.detail) {
			t.Errorf("%s: %+v, %v; want %t with %q", c.params, check, err, c.ok, c.detail)
		}
	}
	for _, params := range []string{
		``, `{}`, `[]`, `{"address": "h"}`, `{"address": ":80"}`, `{"address": "h:http"}`, `{"address": "h:0"}`, `{"address": "h:65536"}`,
		`{"address": "h:80", "timeout": "0s"}`, `{"address": "h:80", "timeout": "1d"}`, `{"address": "h:80", "send": "x"}`,
	} {
		if check, err := tcp.NewProbe().Probe(t.Context(), engine.Target{}, json.RawMessage(params)); err == nil || check.OK {
			t.Errorf("%s: %+v, %v", params, check, err)
		}
	}
	schema := remediatortest.Schema(t, tcp.NewProbe().Spec().Params)
	for params, want := range map[string]bool{`{"address": "h:80", "greeting": "220"}`: true, `{}`: false, `{"address": "h:80", "send": "x"}`: false} {
		if remediatortest.Accepts(t, schema, params) != want {
			t.Errorf("the schema, of %s: %t", params, !want)
		}
	}
}
