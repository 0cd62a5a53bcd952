package grafana_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/tripgen/paramedic/receiver/grafana"
)

func TestValidSignature(t *testing.T) {
	t.Parallel()
	sign := func(secret, signed string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(signed))
		return hex.EncodeToString(mac.Sum(nil))
	}
	const body, at = `{"alerts":[]}`, "1772357400"
	for _, c := range []struct {
		name, secret, timestamp, body, signature string
		want                                     bool
	}{
		{"body alone", "s", "", body, sign("s", body), true},
		{"with a timestamp", "s", at, body, sign("s", at+":"+body), true},
		{"RFC 4231, case 2", "Jefe", "", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", true},
		{"timestamp not signed", "s", at, body, sign("s", body), false},
		{"timestamp left out", "s", "", body, sign("s", at+":"+body), false},
		{"another timestamp", "s", "1772357401", body, sign("s", at+":"+body), false},
		{"another secret", "t", "", body, sign("s", body), false},
		{"another body", "s", "", body + "\n", sign("s", body), false},
		{"with a prefix", "s", "", body, "sha256=" + sign("s", body), false},
		{"cut off", "s", "", body, sign("s", body)[:10], false},
		{"none", "s", "", body, "", false},
		{"an empty secret", "", "", body, sign("", body), false},
	} {
		if got := grafana.ValidSignature([]byte(c.secret), c.timestamp, []byte(c.body), c.signature); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}
