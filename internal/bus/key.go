package bus

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

var (
	tokenPattern  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	tokensPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
)

// checkTokens holds names to what is a part of a subject and nothing else: no
// wildcards, no empty tokens.
func checkTokens(what, s string) error {
	if len(s) > 128 || !tokensPattern.MatchString(s) {
		return fmt.Errorf("%s %q: want 1 to 128 of A-Z a-z 0-9 _ -, in parts separated by single dots", what, s)
	}
	return nil
}

func checkWork(group, action string) error {
	if !tokenPattern.MatchString(group) {
		return fmt.Errorf("worker group %q: want 1 to 128 of A-Z a-z 0-9 _ -", group)
	}
	return checkTokens("action", action)
}

// encodeKey makes one token of a subject of any string, readably where it can:
// letters, digits, '-', '_' and '/' stay, every other byte is '=' and two hex
// digits. Both ways it is one to one.
func encodeKey(s string) (string, error) {
	if s == "" || len(s) > 1024 {
		return "", fmt.Errorf("key has %d bytes: want 1 to 1024", len(s))
	}
	var out strings.Builder
	for i := range len(s) {
		if c := s[i]; plain(c) {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "=%02X", c)
		}
	}
	return out.String(), nil
}

func decodeKey(s string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case plain(s[i]):
			out.WriteByte(s[i])
		case s[i] == '=' && i+2 < len(s):
			b, err := hex.DecodeString(s[i+1 : i+3])
			if err != nil {
				return "", fmt.Errorf("key %q: %w", s, err)
			}
			out.Write(b)
			i += 2
		default:
			return "", fmt.Errorf("key %q: unexpected %q at %d", s, s[i], i)
		}
	}
	return out.String(), nil
}

func plain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '/'
}
