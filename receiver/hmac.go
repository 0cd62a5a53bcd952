package receiver

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
	"strings"
	"time"
)

// HMAC accepts requests that are signed this way. now is the clock that
// timestamps are judged by. The error names the field of s that is wrong.
//
// Headers without a signature, and with a timestamp out of tolerance, are
// refused before the body is read. An empty body has to be signed like any
// other, also that of a handshake.
func HMAC(s Signature, now func() time.Time) (Authenticator, error) {
	if s.Secret == nil || now == nil {
		return nil, errors.New("signature: Secret and the clock must be set")
	}
	if err := s.validate(); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	signed, err := s.template()
	if err != nil {
		return nil, fmt.Errorf("signature: Signed %q: %w", s.Signed, err)
	}
	orDefault(&s.Tolerance, 5*time.Minute)
	a := &signature{Signature: s, signed: signed, now: now, hash: sha256.New, decode: hex.DecodeString}
	if s.Algorithm == sha512Name {
		a.hash = sha512.New
	}
	if s.Encoding == base64Name {
		a.decode = base64.StdEncoding.DecodeString
	}
	return a, nil
}

// signature is a Signature made ready.
type signature struct {
	Signature
	signed template
	hash   func() hash.Hash
	decode func(string) ([]byte, error)
	now    func() time.Time
}

// Challenge names no registered scheme, as there is none.
func (s *signature) Challenge() string { return `HMAC realm="paramedic"` }

func (s *signature) Authenticate(r *http.Request) error {
	_, err := s.read(r.Header)
	return err
}

func (s *signature) AuthenticateBody(r *http.Request, body []byte) (Once, error) {
	given, err := s.read(r.Header)
	if err != nil {
		return Once{}, err
	}
	key, err := s.key()
	if err != nil {
		return Once{}, err
	}
	mac := hmac.New(s.hash, key)
	s.signed.write(mac, given, body)
	want, ok := mac.Sum(nil), false
	for _, one := range given.signatures {
		// Each is looked at: the time does not tell which one was near.
		ok = hmac.Equal(one, want) || ok
	}
	switch {
	case !ok:
		return Once{}, &Denial{
			Err: ErrUnauthenticated, Reason: ReasonSignature,
			Detail: s.Header + " has no signature of this body under the secret",
		}
	case !s.hasTimestamp():
		return Once{}, nil
	}
	once := Once{Until: given.at.Add(s.Tolerance)}
	seen := sha256.New()
	s.signed.write(seen, given, body)
	seen.Sum(once.Key[:0])
	return once, nil
}

func (s *signature) key() ([]byte, error) {
	secret, err := s.Secret.value("signature's secret")
	if err != nil || !s.Base64Secret {
		return []byte(secret), err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) == 0 {
		// Its text has a part of the secret.
		return nil, errors.New("signature's secret: it is not base64; copy it as the sender shows it")
	}
	return key, nil
}
