package receiver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/cloudevents"
)

// clock is one that a test moves.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return startOfTime.Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

func mustHMAC(t testing.TB, s receiver.Signature, now func() time.Time) receiver.Authenticator {
	t.Helper()
	a, err := receiver.HMAC(s, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// slackHeaders sign as Slack does, with one signature for each secret, and take
// away the rig's own token.
func slackHeaders(body string, at time.Time, key string) []string {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return []string{
		"Authorization", "", "X-Slack-Request-Timestamp", stamp,
		"X-Slack-Signature", "v0=" + hexOf(key, "v0:"+stamp+":"+body),
	}
}

// signedRig has sources that Slack would send to: slack takes two secrets, and
// mixed a bearer token as well.
func signedRig(t *testing.T, to receiver.Publisher, c *clock, change func(*receiver.Options)) *rig {
	t.Helper()
	return start(t, to, func(o *receiver.Options) {
		o.Now = c.now
		signatures := []receiver.Authenticator{
			mustHMAC(t, preset(t, "slack", "old-secret", nil), c.now), mustHMAC(t, preset(t, "slack", "new-secret", nil), c.now),
		}
		o.Sources = append(o.Sources,
			receiver.Source{Name: "slack", Decoder: o.Sources[0].Decoder, Auth: signatures},
			receiver.Source{Name: "mixed", Decoder: o.Sources[0].Decoder, Auth: append(signatures, o.Sources[0].Auth...)},
			receiver.Source{Name: "events", Decoder: new(cloudevents.Decoder), Auth: append(signatures, receiver.URLToken("key", secret("sesame")))},
		)
		if change != nil {
			change(o)
		}
	})
}

// refused fails the test unless r has counted n refusals for this reason.
func (r *rig) refused(t *testing.T, source, reason string, n int) {
	t.Helper()
	all, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := 0.0
	for _, family := range all {
		if family.GetName() != "paramedic_receiver_refused_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["source"] == source && labels["reason"] == reason {
				got = m.GetCounter().GetValue()
			}
		}
	}
	if int(got) != n {
		t.Errorf("%s: %v refused as %s, want %d", source, got, reason, n)
	}
}

func TestSignedBodies(t *testing.T) {
	t.Parallel()
	text := body(1, "")
	for _, c := range []struct {
		name, source string
		header       []string
		status       int
		problem      string
		counted      string
	}{
		{"the old secret", "slack", slackHeaders(text, startOfTime, "old-secret"), 202, "", ""},
		{"the new secret", "slack", slackHeaders(text, startOfTime, "new-secret"), 202, "", ""},
		{"another secret", "slack", slackHeaders(text, startOfTime, "hunter2"), 401, "unauthenticated", "wrong-signature"},
		{"another body", "slack", slackHeaders(text+" ", startOfTime, "new-secret"), 401, "unauthenticated", "wrong-signature"},
		{"old", "slack", slackHeaders(text, startOfTime.Add(-6*time.Minute), "new-secret"), 401, "stale-signature", "stale-signature"},
		{"ahead", "slack", slackHeaders(text, startOfTime.Add(6*time.Minute), "new-secret"), 401, "stale-signature", "stale-signature"},
		{"none", "slack", []string{"Authorization", ""}, 401, "unauthenticated", "unauthenticated"},
		{"a token instead", "slack", nil, 401, "unauthenticated", "unauthenticated"},
		{"a token where that will do", "mixed", nil, 202, "", ""},
		{"a signature where a token would do", "mixed", slackHeaders(text, startOfTime, "new-secret"), 202, "", ""},
		{"a right token and a wrong signature", "mixed", slackHeaders(text, startOfTime, "hunter2")[2:], 202, "", ""},
		{"neither", "mixed", []string{"Authorization", "Bearer hunter2"}, 401, "unauthenticated", "unauthenticated"},
		{"a wrong signature and a wrong token", "mixed", append(slackHeaders(text, startOfTime, "hunter2"), "Authorization", "Bearer hunter2"), 401, "unauthenticated", "wrong-signature"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			r := signedRig(t, s, &clock{}, nil)
			got := r.post(t, c.source, text, c.header...)
			if got.status != c.status {
				t.Fatalf("%d %s, want %d", got.status, got.body, c.status)
			}
			if n := len(s.deliveries(t)); (n == 1) != (c.status == 202) || len(s.quarantine) > 0 {
				t.Errorf("%d stored, %d in quarantine", n, len(s.quarantine))
			}
			if c.status == 202 {
				return
			}
			if p := got.problem(t); p["type"] != "https://paramedic.dev/problems/"+c.problem {
				t.Errorf("answered %s, want %s", got.body, c.problem)
			}
			if len(got.header.Values("WWW-Authenticate")) == 0 {
				t.Error("a 401 without a challenge")
			}
			r.refused(t, c.source, c.counted, 1)
			for _, never := range []string{"hunter2", "old-secret", "new-secret", "v0="} {
				if strings.Contains(r.log.String()+got.body, never) {
					t.Errorf("%q shows: %s", never, r.log)
				}
			}
		})
	}
}

// What headers alone tell is answered without asking for the body.
func TestUnsignedIsRefusedUnread(t *testing.T) {
	t.Parallel()
	r := signedRig(t, newShelf(), &clock{}, nil)
	form := "X-Slack-Signature: v0=" + strings.Repeat("00", 32) + "\r\nX-Slack-Request-Timestamp: "
	now := startOfTime.Unix()
	for header, want := range map[string]int{
		"":                             401,
		"X-Slack-Signature: v0=00\r\n": 401,
		"X-Slack-Signature: v0=00\r\nX-Slack-Request-Timestamp: " + strconv.FormatInt(now, 10) + "\r\n": 401,
		"X-Slack-Signature: v0=" + strings.Repeat("00", 32) + "\r\n":                                    401,
		form + "1\r\n": 401,
		form + strconv.FormatInt(now-301, 10) + "\r\n": 401,
		form + strconv.FormatInt(now, 10) + "\r\n":     100, // this one has to be seen
	} {
		conn := r.dial(t)
		_, err := fmt.Fprintf(conn, "POST /v1/webhooks/slack HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n%s\r\n", header)
		if err != nil {
			t.Fatal(err)
		}
		if status := readStatus(t, conn); status != want {
			t.Errorf("%q: %d, want %d", header, status, want)
		}
	}
}

func (r *rig) dial(t *testing.T) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func readStatus(t *testing.T, conn net.Conn) int {
	t.Helper()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// Handshakes are authenticated like deliveries. One with OPTIONS has no body:
// the empty one is to be signed, or another credential shown.
func TestHandshakesOfSignedSources(t *testing.T) {
	t.Parallel()
	c := &clock{}
	r := signedRig(t, newShelf(), c, nil)
	ask := []string{"WebHook-Request-Origin", "eventgrid.azure.net", "Content-Type", ""}
	for _, one := range []struct {
		name, query string
		header      []string
		want        int
	}{
		{"nothing", "", []string{"Authorization", ""}, 401},
		{"signed", "", slackHeaders("", c.now(), "new-secret"), 200},
		{"signed for a body", "", slackHeaders("{}", c.now().Add(time.Second), "new-secret"), 401},
		{"URL token", "?key=sesame", []string{"Authorization", ""}, 200},
		{"wrong URL token", "?key=hunter2", []string{"Authorization", ""}, 401},
	} {
		got := r.send(t, http.MethodOptions, "/v1/webhooks/events"+one.query, nil, append(one.header, ask...)...)
		if got.status != one.want {
			t.Errorf("%s: %d %s, want %d", one.name, got.status, got.body, one.want)
		}
	}
}

// Who knows no secret can make a receiver read bodies, but not fill its memory:
// there is always room for who needs no body to be known.
func TestUnprovenBodiesHoldAPartOfTheMemory(t *testing.T) {
	t.Parallel()
	const mebibyte = 1 << 20
	r := signedRig(t, newShelf(), &clock{}, func(o *receiver.Options) { o.MaxBody, o.MaxInFlight = mebibyte, 18*mebibyte })
	header := strings.Join([]string{
		"X-Slack-Signature: v0=" + strings.Repeat("00", 32), "X-Slack-Request-Timestamp: " + strconv.FormatInt(startOfTime.Unix(), 10), "",
	}, "\r\n")
	full := false
	for range 200 {
		conn := r.dial(t)
		if _, err := fmt.Fprintf(conn, "POST /v1/webhooks/slack HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n%s\r\n", header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, strings.Repeat(" ", 199_999)); err != nil {
			full = true // cut off: refused
			break
		}
		if got, err := testutil.GatherAndCount(r.registry, "paramedic_receiver_refused_total"); err != nil || got > 0 {
			full = true
			break
		}
	}
	if !full {
		t.Fatal("200 bodies of 200 kB were held in less than 18 MiB")
	}
	if !strings.Contains(r.log.String(), `"busy"`) {
		t.Errorf("refused for another reason: %s", r.log)
	}
	if got := r.post(t, "am", body(100, strings.Repeat("x", 1000))); got.status != 202 {
		t.Errorf("another source: %d %s", got.status, got.body)
	}
}

// Once it is known who sent it, a body may have what any other may.
func TestProvenBodiesHaveAllOfTheMemory(t *testing.T) {
	t.Parallel()
	const mebibyte = 1 << 20
	r := signedRig(t, newShelf(), &clock{}, func(o *receiver.Options) { o.MaxBody, o.MaxInFlight = mebibyte, 18*mebibyte })
	text := body(1, "") + strings.Repeat(" ", 900_000)
	if got := r.post(t, "slack", text, slackHeaders(text, startOfTime, "new-secret")...); got.status != 202 {
		t.Errorf("%d %s", got.status, got.body)
	}
}
