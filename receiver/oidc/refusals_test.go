package oidc_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

func TestScopeIsToldFromToken(t *testing.T) {
	t.Parallel()
	ours, _ := rsaKeys()
	i := newIssuer(t, public(ours.Public(), keyID))
	r := &rig{}
	startAll(t, r, i)
	got := r.post(t, "azure", alerts, bearer(sign(t, jose.RS256, ours, keyID, entraClaims(i.url).with(claims{"roles": nil}))))
	if want := `Bearer realm="paramedic", error="insufficient_scope"`; got.header.Get("WWW-Authenticate") != want || strings.Contains(got.body, role) {
		t.Errorf("%v %s", got.header, got.body)
	}
}

// The same requests without an attack pass.
func TestHonestSenders(t *testing.T) {
	t.Parallel()
	ours, _ := rsaKeys()
	i := newIssuer(t, public(ours.Public(), keyID))
	r := &rig{}
	startAll(t, r, i)
	for source, h := range map[string]http.Header{
		"azure":                               bearer(sign(t, jose.RS256, ours, keyID, entraClaims(i.url))),
		"bearer":                              bearer(bearerToken),
		"bearer?x=y":                          bearer("old"),
		"url?token=" + urlToken:               {},
		"url?a=&token=" + urlToken + "&b=%20": {},
		"pagerduty":                           {"X-Pagerduty-Signature": {"v1=" + hmacOf(signingKey, alerts)}},
		"grafana":                             stampedHeaders(signingKey, startOfTime),
		"grafana?":                            stampedHeaders(newKey, startOfTime.Add(-time.Minute)),
	} {
		if got := r.post(t, source, alerts, h); got.status != 202 {
			t.Errorf("%s: %d %s", source, got.status, got.body)
		}
	}
	if n := r.stored.Load(); n != 8 {
		t.Errorf("%d stored", n)
	}
	if strings.Contains(r.log.String(), "s3cret") {
		t.Errorf("the log shows a secret: %s", r.log.String())
	}
}

func TestReplayedSignature(t *testing.T) {
	t.Parallel()
	i := newIssuer(t)
	r := &rig{}
	startAll(t, r, i)
	h := stampedHeaders(signingKey, startOfTime)
	for n, want := range []int{202, 401, 401} {
		if got := r.post(t, "grafana", alerts, h); got.status != want {
			t.Errorf("%d: %d %s", n, got.status, got.body)
		}
	}
	if counts := r.refused(t); counts["replayed-signature"] != 2 || r.stored.Load() != 1 {
		t.Errorf("counted %v, %d stored", counts, r.stored.Load())
	}
}

// A sender that goes away, or somebody between that cuts its body off, is not
// judged by what was left of it.
func TestTruncatedBody(t *testing.T) {
	t.Parallel()
	r := &rig{}
	startAll(t, r, newIssuer(t))
	for _, c := range []struct {
		source, header string
	}{
		{"bearer", "Authorization: Bearer " + bearerToken},
		{"pagerduty", "X-PagerDuty-Signature: v1=" + hmacOf(signingKey, alerts)},
	} {
		conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", strings.TrimPrefix(r.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		// What arrives is sound, signed, and short of what was announced.
		if _, err := io.WriteString(conn, "POST /v1/webhooks/"+c.source+" HTTP/1.1\r\nHost: x\r\n"+c.header+
			"\r\nContent-Length: "+strconv.Itoa(len(alerts)+10)+"\r\n\r\n"+alerts); err != nil {
			t.Fatal(err)
		}
		half, ok := conn.(*net.TCPConn)
		if !ok {
			t.Fatalf("a %T", conn)
		}
		if err := half.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err != nil || res.Body.Close() != nil || res.StatusCode != http.StatusBadRequest || !bytes.Contains(text, []byte("body-incomplete")) {
			t.Errorf("%s: %d %s %v", c.source, res.StatusCode, text, err)
		}
	}
	if counts := r.refused(t); counts["body-incomplete"] != 2 || r.stored.Load()+r.kept.Load() != 0 {
		t.Errorf("counted %v, %d stored, %d kept", counts, r.stored.Load(), r.kept.Load())
	}
}

// A URL with a token in it is nowhere to be seen, whatever is answered.
func TestURLTokensDoNotShow(t *testing.T) {
	t.Parallel()
	r := &rig{}
	startAll(t, r, newIssuer(t))
	query := "?token=" + url.QueryEscape(urlToken)
	for _, c := range []struct {
		source, body string
		want         int
	}{
		{"url" + query, alerts, 202},
		{"url" + query, "rubbish", 400},
		{"url" + query + "&token=", alerts, 401},
		{"nobody" + query, alerts, 404},
		{"url/x" + query, alerts, 404},
		{"url%00" + query, alerts, 404},
		{"inside" + query, alerts, 403},
	} {
		got := r.post(t, c.source, c.body, http.Header{})
		if got.status != c.want {
			t.Errorf("%s: %d %s, want %d", c.source, got.status, got.body, c.want)
		}
		if strings.Contains(got.body, "s3cret") || strings.Contains(got.body, "token=") {
			t.Errorf("answered %s", got.body)
		}
	}
	if log := r.log.String(); strings.Contains(log, "s3cret") || strings.Contains(log, "token=") {
		t.Errorf("logged %s", log)
	}
}
