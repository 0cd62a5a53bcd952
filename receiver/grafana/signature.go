package grafana

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// SignatureHeader is where Grafana puts the signature unless configured.
const SignatureHeader = "X-Grafana-Alerting-Signature"

// ValidSignature reports whether signature is the HMAC-SHA256, in hex, of the
// raw body under secret; with a timestamp, which is the text of the header that
// Grafana is configured to put it in, of timestamp, ":" and body. How old a
// timestamp may be is for the caller to judge. It takes the same time wherever
// the signature differs. An empty secret makes nothing valid.
func ValidSignature(secret []byte, timestamp string, body []byte, signature string) bool {
	given, err := hex.DecodeString(signature)
	if err != nil || len(secret) == 0 {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	if timestamp != "" {
		mac.Write([]byte(timestamp + ":"))
	}
	mac.Write(body)
	return hmac.Equal(given, mac.Sum(nil))
}
