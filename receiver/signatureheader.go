package receiver

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxMessageID bounds an identifier, in bytes; senders' have some thirty.
const maxMessageID = 256

// shown is what headers say of a signature.
type shown struct {
	signatures [][]byte
	timestamp  string
	at         time.Time
	id         string
}

func (s *signature) deny(why Reason, detail string) error {
	return &Denial{Err: ErrUnauthenticated, Reason: why, Detail: detail}
}

// read reads the headers. Of each there is exactly one: intermediaries differ in
// which of two counts.
func (s *signature) read(h http.Header) (shown, error) {
	value, err := s.only(h, s.Header)
	if err != nil {
		return shown{}, err
	}
	given, err := s.elements(value)
	if err != nil {
		return shown{}, err
	}
	if s.TimestampHeader != "" {
		if given.timestamp, err = s.only(h, s.TimestampHeader); err != nil {
			return shown{}, err
		}
	}
	if s.hasTimestamp() {
		if given.at, err = s.fresh(given.timestamp); err != nil {
			return shown{}, err
		}
	}
	if s.IDHeader != "" {
		if given.id, err = s.only(h, s.IDHeader); err != nil {
			return shown{}, err
		}
		// A dot might as well be the one between identifier and timestamp.
		if given.id == "" || len(given.id) > maxMessageID || strings.Contains(given.id, ".") {
			return shown{}, s.deny(ReasonSignature, s.IDHeader+" is empty, too long, or has a dot")
		}
	}
	return given, nil
}

func (s *signature) only(h http.Header, name string) (string, error) {
	switch values := h[http.CanonicalHeaderKey(name)]; len(values) {
	case 1:
		return values[0], nil
	case 0:
		return "", s.deny("", "there is no "+name)
	default:
		return "", s.deny(ReasonSignature, name+" is there more than once")
	}
}

// elements takes the signature header apart. What is no signature counts for
// nothing, but there must be one.
func (s *signature) elements(value string) (shown, error) {
	var given shown
	all := []string{value}
	if s.Separator != "" {
		all = strings.Split(value, s.Separator)
	}
	size := s.hash().Size()
	for _, one := range all {
		one = strings.TrimSpace(one)
		if s.TimestampParam != "" {
			if at, ok := strings.CutPrefix(one, s.TimestampParam+"="); ok {
				if given.timestamp != "" {
					return shown{}, s.deny(ReasonSignature, s.Header+" has more than one timestamp")
				}
				given.timestamp = at
				continue
			}
		}
		text, ok := strings.CutPrefix(one, s.Prefix)
		if !ok {
			continue
		}
		if sum, err := s.decode(text); err == nil && len(sum) == size {
			given.signatures = append(given.signatures, sum)
		}
	}
	if len(given.signatures) == 0 {
		return shown{}, s.deny(ReasonSignature, s.Header+" has no signature of the expected form")
	}
	return given, nil
}

// fresh reads the timestamp, in seconds since 1970, and judges it.
func (s *signature) fresh(timestamp string) (time.Time, error) {
	// No sign, no more than one way to write a number, and no overflow.
	seconds, err := strconv.ParseUint(timestamp, 10, 40)
	if err != nil || timestamp[0] == '0' {
		return time.Time{}, s.deny(ReasonSignature, "the timestamp is no number of seconds since 1970")
	}
	at := time.Unix(int64(seconds), 0)
	if off := s.now().Sub(at); off.Abs() > s.Tolerance {
		return time.Time{}, s.deny(ReasonStale, "it was signed at "+at.UTC().Format(time.RFC3339)+
			", by our clock "+off.Round(time.Second).String()+" ago; the tolerance is "+s.Tolerance.String())
	}
	return at, nil
}
