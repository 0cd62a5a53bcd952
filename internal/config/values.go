package config

import (
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// name is a DNS label (RFC 1123): it goes into subjects, paths and metrics.
func (f field) name() string {
	name, ok := f.text()
	if ok && !label.MatchString(name) {
		f.badValue(name, "a name has 1 to 63 of a-z, 0-9 and -, and begins and ends with a letter or digit")
	}
	return name
}

// verifySuffix is what the group that verifies for a worker group is called behind that one's name (engine.VerifyGroup).
const verifySuffix = "-verify"

// group is the name of a worker group.
func (f field) group() string {
	name := f.name()
	if strings.HasSuffix(name, verifySuffix) {
		f.badValue(name, "a worker group's name does not end in %s, as that of the group that verifies for it does", verifySuffix)
	}
	return name
}

var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (f field) bool() bool {
	var b bool
	if f.plain() && (f.node.ShortTag() != "!!bool" || f.node.Decode(&b) != nil) {
		f.bad("%s: write true or false", f.isA())
	}
	return b
}

func (f field) integer(least, most int) int {
	if !f.plain() {
		return 0
	}
	if f.node.Kind != yaml.ScalarNode || f.isNull() {
		f.bad("%s: write a whole number", f.isA())
		return 0
	}
	n, err := strconv.Atoi(f.node.Value)
	switch {
	case err != nil:
		f.badValue(f.node.Value, "write a whole number")
	case n < least || n > most:
		f.badValue(f.node.Value, "write a number from %d to %d", least, most)
	}
	return n
}

func (f field) duration(least, most time.Duration) time.Duration {
	text, ok := f.text()
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		f.badValue(text, "write a duration such as 10s or 1m30s")
	case d < least || d > most:
		f.badValue(text, "write a duration from %s to %s", least, most)
	}
	return d
}

// size is a number of bytes: a whole number, perhaps with a unit of powers of 1024.
func (f field) size() int64 {
	const mend = "write a number of bytes, or one with KiB, MiB, GiB or TiB"
	switch {
	case !f.plain():
		return 0
	case f.node.Kind != yaml.ScalarNode || f.isNull():
		f.bad("%s: %s", f.isA(), mend)
		return 0
	}
	number, unit := f.node.Value, int64(1)
	for i, suffix := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if rest, ok := strings.CutSuffix(number, suffix); ok {
			number, unit = strings.TrimSpace(rest), int64(1)<<(10*(i+1))
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n <= 0 || n > (1<<62)/unit {
		f.badValue(f.node.Value, mend)
		return 0
	}
	return n * unit
}

// choice is one of some texts.
func (f field) choice(known []string) string {
	text, ok := f.text()
	if ok && !slices.Contains(known, text) {
		mend := "write one of: " + strings.Join(known, ", ")
		if near := nearest(text, known); near != "" {
			mend = "did you mean " + near + "?"
		}
		f.badValue(text, "there is no such choice: %s", mend)
	}
	return text
}

func (f field) level() slog.Level {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}
	return levels[f.choice([]string{"debug", "info", "warn", "error"})]
}

// address is host:port. The host may be empty, which means every address of the machine.
func (f field) address() string {
	text, ok := f.text()
	if !ok {
		return ""
	}
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		f.badValue(text, "write host:port, such as %s", defaultListen)
		return text
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		f.badValue(text, "the port is not a number from 0 to 65535")
	}
	return text
}

// isLoopback reports whether only this machine reaches the address.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	return loopbackHost(host)
}

func loopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// parseURL checks one URL against some schemes. Credentials in it would be a secret in the file.
func (f field) parseURL(text string, schemes ...string) (*url.URL, bool) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		f.bad("this is not a URL: write one such as %s://host", schemes[0]) // the parser's words repeat the text
	case u.User != nil:
		f.bad("there are credentials in the URL: they are secrets, which have fields of their own")
	case !slices.Contains(schemes, u.Scheme):
		f.badValue(text, "the scheme is not one of %s", strings.Join(schemes, ", "))
	case u.Host == "" || u.Hostname() == "":
		f.badValue(text, "the URL has no host")
	default:
		return u, true
	}
	return nil, false
}

// The two kinds of secret.
const (
	secretEnv  = "env"
	secretFile = "file"
)

// secret never shows what is written in its place: it may be the secret itself.
func (f field) secret() Secret {
	const mend = "a secret is written {env: NAME} or {file: PATH}, never as text"
	if !f.plain() {
		return Secret{}
	}
	if f.node.Kind != yaml.MappingNode {
		f.bad("%s: %s", f.isA(), mend)
		return Secret{}
	}
	s := Secret{at: f.place()}
	taken := 0
	ok := f.mapping(fields{
		secretEnv: func(f field) {
			s.kind, taken = secretEnv, taken+1
			if name, ok := f.text(); ok && !variable.MatchString(name) {
				f.bad("this is not the name of an environment variable: %s", mend) // it may be the secret
			} else {
				s.name = name
			}
		},
		secretFile: func(f field) { s.kind, s.name, taken = secretFile, f.filePath(), taken+1 },
	})
	if ok && taken != 1 {
		f.bad("there must be exactly one of env and file: %s", mend)
	}
	s.cell = &cell{env: f.d.env}
	return s
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
