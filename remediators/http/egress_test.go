package http

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

func egress(t *testing.T, list ...string) Egress {
	t.Helper()
	e, err := ParseEgress(list)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestParseEgress(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "*", "*.", "http://h", "h:80", "h/path", "10.0.0.0/33", "a b", "u@h", ".h", "a.*.b", "[::1]"} {
		if e, err := ParseEgress([]string{bad}); err == nil {
			t.Errorf("%q: %+v", bad, e)
		}
	}
}

func TestEgress(t *testing.T) {
	t.Parallel()
	anywhere, names := egress(t), egress(t, "hooks.example.com", "*.korea.example", "Trailing.example.")
	networks := egress(t, "10.0.0.0/8", "169.254.169.254", "fd00::/8", "h")
	for _, c := range []struct {
		egress  Egress
		host    string
		address string
		ok      bool
	}{
		{anywhere, "h", "93.184.216.34", true},
		{anywhere, "h", "127.0.0.1", true},
		{anywhere, "h", "10.1.2.3", true},
		{anywhere, "h", "::1", true},
		{anywhere, "h", "169.254.169.254", false},
		{anywhere, "h", "169.254.170.2", false},
		{anywhere, "h", "fe80::1%eth0", false},
		{anywhere, "h", "::ffff:169.254.169.254", false},
		{anywhere, "h", "64:ff9b::a9fe:a9fe", false},
		{anywhere, "h", "fd00:ec2::254", false},
		{anywhere, "h", "168.63.129.16", false},
		{anywhere, "h", "100.100.100.200", false},
		{anywhere, "h", "224.0.0.1", false},
		{names, "hooks.example.com", "10.0.0.1", true},
		{names, "HOOKS.example.com.", "10.0.0.1", true},
		{names, "a.b.korea.example", "10.0.0.1", true},
		{names, "trailing.example", "10.0.0.1", true},
		{names, "korea.example", "10.0.0.1", false},
		{names, "notkorea.example", "10.0.0.1", false},
		{names, "hooks.example.com.evil.test", "10.0.0.1", false},
		{names, "10.0.0.1", "10.0.0.1", false},
		// A name on the list that resolves to the metadata service gets nothing.
		{names, "hooks.example.com", "169.254.169.254", false},
		{networks, "any", "10.9.9.9", true},
		{networks, "any", "::ffff:10.9.9.9", true},
		{networks, "any", "11.0.0.1", false},
		{networks, "h", "11.0.0.1", true},
		{networks, "any", "169.254.169.254", true},
		{networks, "any", "169.254.169.253", false},
		{networks, "h", "169.254.169.253", false},
		{networks, "any", "fd00:ec2::254", true},
	} {
		err := c.egress.address(c.host, netip.MustParseAddr(c.address))
		_, isDenied := errors.AsType[*deniedError](err)
		if (err == nil) != c.ok || isDenied == c.ok {
			t.Errorf("%+v: %s at %s: %v, want %t", c.egress, c.host, c.address, err, c.ok)
		}
	}
	for _, c := range []struct {
		egress            Egress
		url               string
		direct, byTheName bool
	}{
		{anywhere, "http://h", true, true},
		{anywhere, "http://169.254.169.254/latest", false, false},
		{anywhere, "http://[::ffff:169.254.169.254]", false, false},
		{names, "http://hooks.example.com:8080", true, true},
		{names, "http://other", false, false},
		{names, "http://10.0.0.1", false, false},
		{networks, "http://other", true, false},
		{networks, "http://10.0.0.1", true, true},
		{networks, "http://11.0.0.1", false, false},
		{networks, "http://h", true, true},
	} {
		u, err := parseURL(c.url)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.egress.host(u); (err == nil) != c.direct {
			t.Errorf("%+v: %s: %v", c.egress, c.url, err)
		}
		if err := c.egress.proxied(u); (err == nil) != c.byTheName {
			t.Errorf("%+v: %s through a proxy: %v", c.egress, c.url, err)
		}
	}
}

// TestEgressIsHeldWhereItConnects has names that resolve to what is not allowed.
func TestEgressIsHeldWhereItConnects(t *testing.T) {
	t.Parallel()
	var got atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got.Add(1) }))
	t.Cleanup(server.Close)
	local := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	for _, c := range []struct {
		allow    []string
		url      string
		plan, ok bool
	}{
		{nil, server.URL, true, true},
		{nil, local, true, true},
		{[]string{"127.0.0.0/8", "::1"}, local, true, true},
		{[]string{"localhost"}, local, true, true},
		{[]string{"localhost"}, server.URL, false, false},
		{[]string{"10.0.0.0/8"}, local, true, false},
		{[]string{"10.0.0.0/8"}, server.URL, false, false},
		{[]string{"hooks.example.com"}, local, false, false},
		{nil, "http://169.254.169.254/latest/meta-data/", false, false},
	} {
		before := got.Load()
		client := NewClient("test", nil).Within(egress(t, c.allow...))
		task := engine.Task{ID: "run-1", Target: engine.Target{System: "http", Name: "s"}, Params: fmt.Appendf(nil, `{"method": "POST", "url": %q}`, c.url)}
		r := NewRequest(client, time.Now)
		if _, err := r.Plan(t.Context(), task); (err == nil) != c.plan || err != nil && remediators.ClassOf(err) != engine.ClassTerminal {
			t.Errorf("%v: plan for %s: %v", c.allow, c.url, err)
		}
		_, err := r.Execute(t.Context(), task, engine.Plan{})
		if (err == nil) != c.ok || err != nil && (remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "http.allow")) {
			t.Errorf("%v: %s: %v, want %t", c.allow, c.url, err, c.ok)
		}
		check, err := NewProbe(client, time.Now).Probe(t.Context(), engine.Target{}, fmt.Appendf(nil, `{"url": %q}`, c.url))
		if err != nil || check.OK != c.ok {
			t.Errorf("%v: probe of %s: %+v, %v", c.allow, c.url, check, err)
		}
		want := int64(0)
		if c.ok {
			want = 2
		}
		if n := got.Load() - before; n != want {
			t.Errorf("%v: %s got %d requests, want %d", c.allow, c.url, n, want)
		}
	}
}

const proxyVariable = "EGRESS_TEST_THROUGH_PROXY"

// TestThroughAProxy runs in a process of its own, whose environment names a proxy,
// since net/http reads that once.
func TestThroughAProxy(t *testing.T) {
	if os.Getenv(proxyVariable) != "" {
		for host, ok := range map[string]bool{"hooks.example.invalid": true, "other.invalid": false, "10.1.2.3": true, "169.254.169.254": false} {
			client := NewClient("test", nil).Within(egress(t, "hooks.example.invalid", "10.0.0.0/8"))
			check, err := NewProbe(client, time.Now).Probe(t.Context(), engine.Target{}, json.RawMessage(`{"url": "http://`+host+`/"}`))
			if err != nil || check.OK != ok {
				t.Errorf("%s: %+v, %v", host, check, err)
			}
		}
		return
	}
	t.Parallel()
	var asked atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if asked.Add(1); !r.URL.IsAbs() {
			t.Errorf("the proxy is asked for %s", r.URL)
		}
	}))
	t.Cleanup(proxy.Close)
	again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestThroughAProxy$")
	again.Env = append(os.Environ(), proxyVariable+"=1", "HTTP_PROXY="+proxy.URL, "NO_PROXY=")
	if out, err := again.CombinedOutput(); err != nil || asked.Load() != 2 {
		t.Errorf("the proxy was asked %d times, want 2: %v\n%s", asked.Load(), err, out)
	}
}
