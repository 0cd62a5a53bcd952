package pagerduty_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/receiver/pagerduty"
)

func TestValidSignature(t *testing.T) {
	t.Parallel()
	const body = `{"event":{"event_type":"pagey.ping"}}`
	sign := func(secret, body string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		return hex.EncodeToString(mac.Sum(nil))
	}
	good := sign("new", body)
	for _, c := range []struct {
		name, secret, body, header string
		want                       bool
	}{
		{"alone", "new", body, "v1=" + good, true},
		{"second of two", "new", body, "v1=" + sign("old", body) + ",v1=" + good, true},
		{"first of two, with a space", "new", body, "v1=" + good + ", v1=" + sign("old", body), true},
		{"beside a newer version", "new", body, "v2=xyz,v1=" + good, true},
		{"beside rubbish", "new", body, ",,=,v1=,v1=zz,v1=" + good + ",", true},
		{"another secret", "old", body, "v1=" + good, false},
		{"another body", "new", body + " ", "v1=" + good, false},
		{"another version only", "new", body, "v2=" + good, false},
		{"no version", "new", body, good, false},
		{"cut off", "new", body, "v1=" + good[:62], false},
		{"too long", "new", body, "v1=" + good + "00", false},
		{"none", "new", body, "", false},
		{"an empty secret", "", body, "v1=" + sign("", body), false},
	} {
		if got := pagerduty.ValidSignature([]byte(c.secret), []byte(c.body), c.header); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
	// A vector worked out by another program: printf 'what do ya want for nothing?' | openssl dgst -sha256 -hmac Jefe,
	// which is test case 2 of RFC 4231.
	if !pagerduty.ValidSignature([]byte("Jefe"), []byte("what do ya want for nothing?"),
		"v1="+strings.ToUpper("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")) {
		t.Error("RFC 4231, case 2")
	}
}
