package receiver_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/receiver"
)

func macOf(h func() hash.Hash, secret, signed string) []byte {
	mac := hmac.New(h, []byte(secret))
	mac.Write([]byte(signed))
	return mac.Sum(nil)
}

// hexOf is a signature worked out apart from the code that checks it.
func hexOf(secret, signed string) string {
	return hex.EncodeToString(macOf(sha256.New, secret, signed))
}

func preset(t testing.TB, name, key string, change func(*receiver.Signature)) receiver.Signature {
	t.Helper()
	s, ok := receiver.SignaturePreset(name)
	if !ok {
		t.Fatalf("no preset %q", name)
	}
	if s.Secret = secret(key); change != nil {
		change(&s)
	}
	return s
}

func signer(t testing.TB, s receiver.Signature, now time.Time) receiver.BodyAuthenticator {
	t.Helper()
	a, err := receiver.HMAC(s, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	b, ok := a.(receiver.BodyAuthenticator)
	if !ok {
		t.Fatal("a signature that does not want the body")
	}
	return b
}

// judge asks for the headers and then for the body, as a receiver does.
func judge(a receiver.BodyAuthenticator, h http.Header, body string) error {
	r := &http.Request{Header: h}
	if err := a.Authenticate(r); err != nil {
		return err
	}
	_, err := a.AuthenticateBody(r, []byte(body))
	return err
}

// reasonOf is what a refusal is counted as.
func reasonOf(t *testing.T, err error) receiver.Reason {
	t.Helper()
	if err == nil {
		return "passed"
	}
	var d *receiver.Denial
	if !errors.As(err, &d) || !errors.Is(err, receiver.ErrUnauthenticated) || d.Detail == "" {
		t.Fatalf("got %v", err)
	}
	return d.Reason
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for pair := range slices.Chunk(pairs, 2) {
		h.Add(pair[0], pair[1])
	}
	return h
}

// Timestamps are judged before the body is read: by Authenticate alone.
func TestTimestamps(t *testing.T) {
	t.Parallel()
	const stale, wrong = receiver.ReasonStale, receiver.ReasonSignature
	now := startOfTime.Unix()
	for _, c := range []struct {
		name, at string
		want     receiver.Reason
	}{
		{"now", strconv.FormatInt(now, 10), "passed"},
		{"as old as may be", strconv.FormatInt(now-300, 10), "passed"},
		{"a second older", strconv.FormatInt(now-301, 10), stale},
		{"as far ahead as may be", strconv.FormatInt(now+300, 10), "passed"},
		{"a second further", strconv.FormatInt(now+301, 10), stale},
		{"milliseconds", strconv.FormatInt(now*1000, 10), wrong},
		{"the end of time", "1099511627775", stale},
		{"too large a number", strings.Repeat("9", 400), wrong},
		{"1970", "0", wrong},
		{"negative", "-" + strconv.FormatInt(now, 10), wrong},
		{"with a sign", "+" + strconv.FormatInt(now, 10), wrong},
		{"with a zero before it", "0" + strconv.FormatInt(now, 10), wrong},
		{"with a space", " " + strconv.FormatInt(now, 10), wrong},
		{"with a fraction", strconv.FormatInt(now, 10) + ".0", wrong},
		{"in underscores", "1_772_357_400", wrong},
		{"as a date", "2026-03-01T09:30:00Z", wrong},
		{"in other digits", "١٧٧٢٣٥٧٤٠٠", wrong},
		{"empty", "", wrong},
	} {
		slack := signer(t, preset(t, "slack", "s", nil), startOfTime)
		h := headers("X-Slack-Request-Timestamp", c.at, "X-Slack-Signature", "v0="+hexOf("s", "v0:"+c.at+":{}"))
		if got := reasonOf(t, slack.Authenticate(&http.Request{Header: h})); got != c.want {
			t.Errorf("in a header, %s: %q, want %q", c.name, got, c.want)
		}
		stripe := signer(t, preset(t, "stripe", "s", nil), startOfTime)
		h = headers("Stripe-Signature", "t="+c.at+",v1="+hexOf("s", c.at+".{}")+",v0=0")
		want := c.want
		if c.name == "with a space" {
			want = wrong // t=, space, number
		}
		if got := reasonOf(t, stripe.Authenticate(&http.Request{Header: h})); got != want {
			t.Errorf("as a parameter, %s: %q, want %q", c.name, got, want)
		}
	}
	stripe := signer(t, preset(t, "stripe", "s", nil), startOfTime)
	at := strconv.FormatInt(now, 10)
	for header, want := range map[string]receiver.Reason{
		"v1=" + hexOf("s", at+".{}") + ",t=" + at:                "passed",
		"v1=" + hexOf("s", at+".{}"):                             wrong,
		"t=" + at + ",t=" + at + ",v1=" + hexOf("s", at+".{}"):   wrong,
		"t=" + at + ",t=1,v1=" + hexOf("s", at+".{}"):            wrong,
		"t=" + at + ",v1=" + hexOf("s", "."+at+"{}"):             wrong,
		"t=" + at + ",v0=" + hexOf("s", at+".{}"):                wrong,
		"t=" + at + ",v1=,v1=" + hexOf("s", at+".{}") + ",v1=aa": "passed",
	} {
		if got := reasonOf(t, judge(stripe, headers("Stripe-Signature", header), "{}")); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

// What is good once is remembered to the last moment at which it is good, and
// known whatever secret it was signed with.
func TestSignaturesAreGoodOnce(t *testing.T) {
	t.Parallel()
	at := startOfTime.Add(-time.Minute)
	h := headers(slackHeaders("{}", at, "s")[2:]...)
	var keys []any
	for _, now := range []time.Time{at, startOfTime} {
		once, err := signer(t, preset(t, "slack", "s", nil), now).AuthenticateBody(&http.Request{Header: h}, []byte("{}"))
		if err != nil || !once.Until.Equal(at.Add(5*time.Minute)) {
			t.Errorf("%+v %v", once, err)
		}
		keys = append(keys, once.Key)
	}
	other := headers(slackHeaders("{}", at, "t")[2:]...)
	once, err := signer(t, preset(t, "slack", "t", nil), at).AuthenticateBody(&http.Request{Header: other}, []byte("{}"))
	if err != nil || keys[0] != keys[1] || keys[0] != any(once.Key) {
		t.Errorf("%v, then %v: %v", keys, once, err)
	}
	pager := headers("X-PagerDuty-Signature", "v1="+hexOf("s", "{}"))
	once, err = signer(t, preset(t, "pagerduty", "s", nil), at).AuthenticateBody(&http.Request{Header: pager}, []byte("{}"))
	if err != nil || once != (receiver.Once{}) {
		t.Errorf("without a timestamp: %v %v", once, err)
	}
}

func TestOwnSchemes(t *testing.T) {
	t.Parallel()
	s := receiver.Signature{Secret: secret("s"), Header: "x-sig", Algorithm: "sha512", Encoding: "base64", Signed: "a{body}b"}
	sum := base64.StdEncoding.EncodeToString(macOf(sha512.New, "s", "a{}b"))
	if err := judge(signer(t, s, startOfTime), headers("X-Sig", sum), "{}"); err != nil {
		t.Error(err)
	}
	short := base64.StdEncoding.EncodeToString(macOf(sha256.New, "s", "a{}b"))
	if err := judge(signer(t, s, startOfTime), headers("X-Sig", short), "{}"); err == nil {
		t.Error("a SHA-256 passed for SHA-512")
	}
	// Secrets that cannot be had are no wrong credentials.
	for name, broken := range map[string]receiver.Signature{
		"gone":       {Header: "X-Sig", Secret: func() (string, error) { return "", errors.New("the file is gone") }},
		"empty":      {Header: "X-Sig", Secret: secret("")},
		"not base64": {Header: "X-Sig", Secret: secret("whsec_hunter2!"), Base64Secret: true},
		"no base64":  {Header: "X-Sig", Secret: secret("whsec_"), Base64Secret: true},
	} {
		err := judge(signer(t, broken, startOfTime), headers("X-Sig", hexOf("", "{}")), "{}")
		if err == nil || errors.Is(err, receiver.ErrUnauthenticated) || strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSignatureSaysWhatIsWrongWithIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change func(*receiver.Signature)
		want   string
	}{
		{func(s *receiver.Signature) { s.Secret = nil }, "Secret and the clock"},
		{func(s *receiver.Signature) { s.Header = "" }, "Header is empty"},
		{func(s *receiver.Signature) { s.Header = "X Sig" }, `header "X Sig"`},
		{func(s *receiver.Signature) { s.TimestampHeader = "T:" }, `header "T:"`},
		{func(s *receiver.Signature) { s.Encoding = "HEX" }, `Encoding "HEX"`},
		{func(s *receiver.Signature) { s.Algorithm = "sha1" }, `Algorithm "sha1"`},
		{func(s *receiver.Signature) { s.TimestampHeader, s.TimestampParam = "T", "t" }, "both set"},
		{func(s *receiver.Signature) { s.TimestampParam = "t" }, "needs Separator"},
		{func(s *receiver.Signature) { s.Prefix, s.Separator = "v1,", "," }, `Prefix "v1,"`},
		{func(s *receiver.Signature) { s.Tolerance = -1 }, "not negative"},
		{func(s *receiver.Signature) { s.Tolerance = time.Minute }, "no timestamp"},
		{func(s *receiver.Signature) { s.Signed = "x" }, "write {body}, once"},
		{func(s *receiver.Signature) { s.Signed = "{body}{body}" }, "write {body}, once"},
		{func(s *receiver.Signature) { s.Signed = "[{body}]" }, "write {body}, once"},
		{func(s *receiver.Signature) { s.Signed = "{body}{timestamp}" }, "{timestamp} is there once"},
		{func(s *receiver.Signature) { s.TimestampHeader = "T" }, "{timestamp} is there once"},
		{func(s *receiver.Signature) { s.Signed = "{body}{id}" }, "{id} is there once"},
		{func(s *receiver.Signature) { s.IDHeader = "I" }, "{id} is there once"},
		{func(s *receiver.Signature) { s.Signed = "{url}{body}" }, "{url} is not known"},
		{func(s *receiver.Signature) { s.Signed = "{Body}{body}" }, "brace"},
		{func(s *receiver.Signature) { s.Signed = "{body}}" }, "brace"},
	} {
		s := receiver.Signature{Secret: secret("s"), Header: "X-Sig"}
		c.change(&s)
		if _, err := receiver.HMAC(s, time.Now); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if _, err := receiver.HMAC(receiver.Signature{Secret: secret("s"), Header: "X-Sig"}, nil); err == nil {
		t.Error("no clock")
	}
	for _, name := range receiver.SignaturePresets() {
		if _, err := receiver.HMAC(preset(t, name, "s", nil), time.Now); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, ok := receiver.SignaturePreset("carrier-pigeon"); ok {
		t.Error("a preset that nobody named")
	}
}

// Whatever headers say, they pass only with the signature in them, and no
// refusal repeats what they said.
func FuzzSignatureHeaders(f *testing.F) {
	const body, canary = "{}", "c4n4ry"
	at := strconv.FormatInt(startOfTime.Unix(), 10)
	right := map[string]string{
		"pagerduty": hexOf("s", body), "slack": hexOf("s", "v0:"+at+":"+body), "stripe": hexOf("s", at+"."+body),
		"standard-webhooks": base64.StdEncoding.EncodeToString(macOf(sha256.New, "key", "m."+at+"."+body)),
	}
	f.Add("v1="+right["pagerduty"], at, "m")
	f.Add("v0="+right["slack"], at, "m")
	f.Add("t="+at+",v1="+right["stripe"], "", "")
	f.Add("v1a,x v1,"+right["standard-webhooks"], at, "m")
	f.Add("v1="+canary+",,v1=", canary, canary)
	f.Fuzz(func(t *testing.T, signature, timestamp, id string) {
		for name, sum := range right {
			key := "s"
			if name == "standard-webhooks" {
				key = base64.StdEncoding.EncodeToString([]byte("key"))
			}
			s := preset(t, name, key, nil)
			h := headers(s.Header, signature)
			if s.TimestampHeader != "" {
				h.Set(s.TimestampHeader, timestamp)
			}
			if s.IDHeader != "" {
				h.Set(s.IDHeader, id)
			}
			err := judge(signer(t, s, startOfTime), h, body)
			if err == nil && !strings.Contains(strings.ToLower(signature), strings.ToLower(sum)) {
				t.Errorf("%s passed with %q, %q, %q", name, signature, timestamp, id)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("%s repeats what it was given: %v", name, err)
			}
		}
	})
}
