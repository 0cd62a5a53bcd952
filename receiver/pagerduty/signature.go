package pagerduty

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// SignatureHeader is where PagerDuty puts its signatures.
const SignatureHeader = "X-PagerDuty-Signature"

// ValidSignature reports whether one of the signatures, "v1=HEX" with commas
// between them, is the HMAC-SHA256 of the raw body under secret. While a
// secret is being replaced, PagerDuty signs with both. Signatures of other
// versions count for nothing. It takes the same time wherever a signature
// differs. An empty secret makes nothing valid.
func ValidSignature(secret, body []byte, signatures string) bool {
	if len(secret) == 0 {
		return false
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	sum := mac.Sum(nil)
	valid := false
	for one := range strings.SplitSeq(signatures, ",") {
		text, ok := strings.CutPrefix(strings.TrimSpace(one), "v1=")
		if !ok {
			continue
		}
		if given, err := hex.DecodeString(text); err == nil && hmac.Equal(given, sum) {
			valid = true
		}
	}
	return valid
}
