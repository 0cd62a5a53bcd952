package receiver

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

const (
	hexName    = "hex"
	base64Name = "base64"
	sha256Name = "sha256"
	sha512Name = "sha512"

	signedBody      = "{body}"
	signedTimestamp = "{timestamp}"
	signedID        = "{id}"
)

func (s *Signature) hasTimestamp() bool { return s.TimestampHeader != "" || s.TimestampParam != "" }

// validate checks all but the template.
func (s *Signature) validate() error {
	for _, name := range []string{s.Header, s.TimestampHeader, s.IDHeader} {
		if strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return fmt.Errorf("header %q: a header's name has letters, digits, - and _", name)
		}
	}
	switch {
	case s.Header == "":
		return errors.New("the Header is empty: name the header that holds the signature")
	case !slices.Contains([]string{"", hexName, base64Name}, s.Encoding):
		return fmt.Errorf("the Encoding %q: it is hex or base64", s.Encoding)
	case !slices.Contains([]string{"", sha256Name, sha512Name}, s.Algorithm):
		return fmt.Errorf("the Algorithm %q: it is sha256 or sha512", s.Algorithm)
	case s.TimestampHeader != "" && s.TimestampParam != "":
		return errors.New("TimestampHeader and TimestampParam are both set: the timestamp is in one place")
	case s.TimestampParam != "" && s.Separator == "":
		return errors.New("TimestampParam needs Separator: it stands beside the signatures")
	case s.Separator != "" && strings.Contains(s.Prefix, s.Separator):
		return fmt.Errorf("the Prefix %q has the Separator %q in it: then no signature has it", s.Prefix, s.Separator)
	case s.Tolerance < 0:
		return fmt.Errorf("the Tolerance is %s: it is not negative", s.Tolerance)
	case s.Tolerance > 0 && !s.hasTimestamp():
		return errors.New("the Tolerance is set, but there is no timestamp: set TimestampHeader too, or neither")
	}
	return nil
}

// template is what is signed: texts, and the names in braces of what they stand for.
type template []string

var (
	errBody      = errors.New("the body is to be signed: write {body}, once")
	errTimestamp = errors.New("{timestamp} is there once if there is a timestamp, or anybody could change it, and not otherwise")
	errID        = errors.New("{id} is there once if IDHeader is set, and not otherwise")
)

func (s *Signature) template() (template, error) {
	text := s.Signed
	if text == "" {
		text = signedBody
	}
	kept := ""
	if s.hasTimestamp() {
		kept = "$1"
	}
	text = regexp.MustCompile(`\[([^][]*)\]`).ReplaceAllString(text, kept)
	parts := template(regexp.MustCompile(`\{[a-z]*\}|[^{}]+`).FindAllString(text, -1))
	count := func(name string) int {
		n := 0
		for _, part := range parts {
			if part == name {
				n++
			}
		}
		return n
	}
	expected := func(there bool) int {
		if there {
			return 1
		}
		return 0
	}
	switch {
	case count(signedBody) != 1:
		return nil, errBody
	case count(signedTimestamp) != expected(s.hasTimestamp()):
		return nil, errTimestamp
	case count(signedID) != expected(s.IDHeader != ""):
		return nil, errID
	}
	for _, part := range parts {
		if strings.HasPrefix(part, "{") && part != signedBody && part != signedTimestamp && part != signedID {
			return nil, fmt.Errorf("%s is not known: in braces are body, timestamp and id", part)
		}
	}
	if strings.Join(parts, "") != text {
		return nil, errors.New("it has a brace that is not closed, or not opened")
	}
	return parts, nil
}

// write writes what is signed to w, a hash.
func (t template) write(w io.Writer, given shown, body []byte) {
	for _, part := range t {
		// A hash's Write returns no error.
		switch part {
		case signedBody:
			_, _ = w.Write(body)
		case signedTimestamp:
			_, _ = io.WriteString(w, given.timestamp)
		case signedID:
			_, _ = io.WriteString(w, given.id)
		default:
			_, _ = io.WriteString(w, part)
		}
	}
}
