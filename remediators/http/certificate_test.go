package http_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators/http"
)

// TestProbeOfACertificate looks at the certificate of net/http/httptest from times
// before it ends.
func TestProbeOfACertificate(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, _ *nethttp.Request) { answer(w, `{"status": "UP"}`) }))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	ends := server.Certificate().NotAfter
	for _, c := range []struct {
		certificate string
		before      time.Duration
		ok          bool
	}{
		{"14d", 14 * 24 * time.Hour, true},
		{"14d", 14*24*time.Hour - time.Second, false},
		{"36h", 37 * time.Hour, true},
		{"1h30m", time.Hour, false},
	} {
		p := http.NewProbe(http.NewClient("test", roots), func() time.Time { return ends.Add(-c.before) })
		check, err := p.Probe(t.Context(), engine.Target{}, fmt.Appendf(nil, `{"url": %q, "json": {"status": "UP"}, "certificate": %q}`, server.URL, c.certificate))
		if err != nil || check.OK != c.ok || !c.ok && !strings.Contains(check.Detail, ends.UTC().Format(time.RFC3339)) {
			t.Errorf("%s, %s before its end: %+v, %v", c.certificate, c.before, check, err)
		}
	}
	p := http.NewProbe(http.NewClient("test", roots), time.Now)
	// A certificate that nobody vouches for is no less of a failure for being valid long.
	if check, err := http.NewProbe(http.NewClient("test", nil), time.Now).Probe(t.Context(), engine.Target{},
		fmt.Appendf(nil, `{"url": %q, "certificate": "1h"}`, server.URL)); err != nil || check.OK {
		t.Errorf("not trusted: %+v, %v", check, err)
	}
	for _, params := range []string{
		`{"url": "http://h", "certificate": "14d"}`, `{"url": "https://h", "certificate": "0d"}`, `{"url": "https://h", "certificate": "14"}`,
		`{"url": "https://h", "certificate": 14}`, `{"url": "https://h", "certificate": "-1h"}`, `{"url": "https://h", "certificate": "9999d"}`,
	} {
		if check, err := p.Probe(t.Context(), engine.Target{}, json.RawMessage(params)); err == nil || check.OK {
			t.Errorf("%s: %+v, %v", params, check, err)
		}
	}
}
