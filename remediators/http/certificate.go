package http

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
)

const (
	day = 24 * time.Hour
	// maxValidity is far more than any certificate has.
	maxValidity = 3650 * day
)

// validity is how long a certificate must be valid still; zero asks nothing.
type validity time.Duration

// UnmarshalJSON implements [json.Unmarshaler].
func (v *validity) UnmarshalJSON(b []byte) error {
	bad := errors.New(`certificate: want a time as "14d" or "36h", above 0 and up to 3650d`)
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return bad
	}
	d, err := time.ParseDuration(s)
	if days := regexp.MustCompile(`^(\d{1,4})d$`).FindStringSubmatch(s); days != nil {
		n, notNumber := strconv.Atoi(days[1])
		d, err = time.Duration(n)*day, notNumber
	}
	if err != nil || d <= 0 || d > maxValidity {
		return bad
	}
	*v = validity(d)
	return nil
}

// check says which certificate of the chain that was verified ends too soon.
func (v validity) check(chain []*x509.Certificate, now time.Time) error {
	if v == 0 {
		return nil
	}
	if len(chain) == 0 {
		return errors.New("the server showed no certificate")
	}
	for _, c := range chain {
		if left := c.NotAfter.Sub(now); left < time.Duration(v) {
			return fmt.Errorf("the certificate of %q ends at %s, in %s", c.Subject.CommonName, c.NotAfter.UTC().Format(time.RFC3339), left.Round(time.Minute))
		}
	}
	return nil
}
