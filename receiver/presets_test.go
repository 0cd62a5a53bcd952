package receiver_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/receiver"
)

// Each was worked out by somebody else's program and published with the scheme.
func TestPublishedSignatures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, preset, secret, body string
		headers                    []string
		at                         int64
	}{
		{
			"RFC 4231, case 2", "grafana", "Jefe", "what do ya want for nothing?",
			[]string{"X-Grafana-Alerting-Signature", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
			0,
		},
		{
			"RFC 4231, case 2, in capitals", "pagerduty", "Jefe", "what do ya want for nothing?",
			[]string{"X-PagerDuty-Signature", "v1=5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843"},
			0,
		},
		{
			"GitHub", "github", "It's a Secret to Everybody", "Hello, World!",
			[]string{"X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
			0,
		},
		{
			"Slack", "slack", "8f742231b10e8888abcd99yyyzzz85a5",
			"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar" +
				"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=" +
				"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN" +
				"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
			[]string{
				"X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
				"X-Slack-Request-Timestamp", "1531420618",
			},
			1531420618,
		},
		{
			"Standard Webhooks", "standard-webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `{"test": 2432232314}`,
			[]string{
				"webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp", "1614265330",
				"webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
			},
			1614265330,
		},
	} {
		a := signer(t, preset(t, c.preset, c.secret, nil), time.Unix(c.at, 0))
		h := headers(c.headers...)
		if err := judge(a, h, c.body); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := judge(a, h, c.body+" "); reasonOf(t, err) != receiver.ReasonSignature {
			t.Errorf("%s: another body: %v", c.name, err)
		}
	}
}

func TestPagerDutySignatures(t *testing.T) {
	t.Parallel()
	const body = `{"event":{"event_type":"pagey.ping"}}`
	const wrong = receiver.ReasonSignature
	good := hexOf("new", body)
	for _, c := range []struct {
		name, secret, body string
		headers            []string
		want               receiver.Reason
	}{
		{"alone", "new", body, []string{"v1=" + good}, "passed"},
		{"second of two", "new", body, []string{"v1=" + hexOf("old", body) + ",v1=" + good}, "passed"},
		{"first of two, with a space", "new", body, []string{"v1=" + good + ", v1=" + hexOf("old", body)}, "passed"},
		{"beside a newer version", "new", body, []string{"v2=xyz,v1=" + good}, "passed"},
		{"beside rubbish", "new", body, []string{",,=,v1=,v1=zz,v1=" + good + ","}, "passed"},
		{"another secret", "old", body, []string{"v1=" + good}, wrong},
		{"another body", "new", body + " ", []string{"v1=" + good}, wrong},
		{"another version only", "new", body, []string{"v2=" + good}, wrong},
		{"no version", "new", body, []string{good}, wrong},
		{"cut off", "new", body, []string{"v1=" + good[:62]}, wrong},
		{"too long", "new", body, []string{"v1=" + good + "00"}, wrong},
		{"empty", "new", body, []string{""}, wrong},
		{"none", "new", body, nil, ""},
		{"two headers, both right", "new", body, []string{"v1=" + good, "v1=" + good}, wrong},
		{"two headers, one of them right", "new", body, []string{"v1=" + hexOf("old", body), "v1=" + good}, wrong},
	} {
		h := http.Header{}
		for _, one := range c.headers {
			h.Add("X-PagerDuty-Signature", one)
		}
		a := signer(t, preset(t, "pagerduty", c.secret, nil), startOfTime)
		if got := reasonOf(t, judge(a, h, c.body)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestGrafanaSignatures(t *testing.T) {
	t.Parallel()
	const body, wrong = `{"alerts":[]}`, receiver.ReasonSignature
	at := strconv.FormatInt(startOfTime.Unix(), 10)
	for _, c := range []struct {
		name            string
		stamped         bool
		body, signature string
		timestamp       []string
		want            receiver.Reason
	}{
		{"body alone", false, body, hexOf("s", body), nil, "passed"},
		{"body alone, and a timestamp that nobody asked for", false, body, hexOf("s", body), []string{at}, "passed"},
		{"with a timestamp", true, body, hexOf("s", at+":"+body), []string{at}, "passed"},
		{"timestamp not signed", true, body, hexOf("s", body), []string{at}, wrong},
		{"timestamp left out", true, body, hexOf("s", at+":"+body), nil, ""},
		{"timestamp left out on both sides", true, body, hexOf("s", body), nil, ""},
		{"timestamp emptied on both sides", true, body, hexOf("s", ":"+body), []string{""}, wrong},
		{"another timestamp", true, body, hexOf("s", at+":"+body), []string{"1772357401"}, wrong},
		{"two timestamps", true, body, hexOf("s", at+":"+body), []string{at, at}, wrong},
		{"another secret", false, body, hexOf("t", body), nil, wrong},
		{"another body", false, body + "\n", hexOf("s", body), nil, wrong},
		{"with a prefix", false, body, "sha256=" + hexOf("s", body), nil, wrong},
		{"cut off", false, body, hexOf("s", body)[:10], nil, wrong},
		{"the one of the empty secret", false, body, hexOf("", body), nil, wrong},
	} {
		h := headers("X-Grafana-Alerting-Signature", c.signature)
		for _, one := range c.timestamp {
			h.Add("X-Signed-At", one)
		}
		a := signer(t, preset(t, "grafana", "s", func(s *receiver.Signature) {
			if c.stamped {
				s.TimestampHeader = "X-Signed-At"
			}
		}), startOfTime)
		if got := reasonOf(t, judge(a, h, c.body)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestMessageIdentifiersAreSigned(t *testing.T) {
	t.Parallel()
	at := strconv.FormatInt(startOfTime.Unix(), 10)
	sign := func(id, body string) string {
		return "v1," + base64.StdEncoding.EncodeToString(macOf(sha256.New, "key", id+"."+at+"."+body))
	}
	a := signer(t, preset(t, "standard-webhooks", "whsec_"+base64.StdEncoding.EncodeToString([]byte("key")), nil), startOfTime)
	for _, c := range []struct {
		name, id, signature, body string
		want                      receiver.Reason
	}{
		{"right", "m1", sign("m1", "{}"), "{}", "passed"},
		{"another identifier", "m2", sign("m1", "{}"), "{}", receiver.ReasonSignature},
		{"asymmetric and right", "m1", "v1a,xx " + sign("m1", "{}"), "{}", "passed"},
		{"asymmetric only", "m1", "v1a," + sign("m1", "{}")[3:], "{}", receiver.ReasonSignature},
		// The same text is signed: m1, the time, and a body that begins with it.
		{"a dot moved", "m1." + at, sign("m1", at+".{}"), "{}", receiver.ReasonSignature},
		{"empty", "", sign("", "{}"), "{}", receiver.ReasonSignature},
		{"long", strings.Repeat("m", 300), sign(strings.Repeat("m", 300), "{}"), "{}", receiver.ReasonSignature},
	} {
		h := headers("Webhook-Id", c.id, "Webhook-Timestamp", at, "Webhook-Signature", c.signature)
		if got := reasonOf(t, judge(a, h, c.body)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
