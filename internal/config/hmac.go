package config

import (
	"regexp"
	"strings"
	"time"
)

// SignaturePresets are the senders whose signatures are known to the receiver by name.
func SignaturePresets() []string { return []string{"grafana", "pagerduty"} }

const (
	signedBody      = "{body}"
	signedTimestamp = "{timestamp}"
)

func (f field) hmac() HMAC {
	var h HMAC
	var signed, tolerance *field
	if !f.mapping(fields{
		"preset":          func(f field) { h.Preset = f.choice(SignaturePresets()) },
		"secret":          func(f field) { h.Secret = f.secret() },
		"header":          func(f field) { h.Header = f.headerName() },
		"prefix":          func(f field) { h.Prefix, _ = f.text() },
		"encoding":        func(f field) { h.Encoding = f.choice([]string{"hex", "base64"}) },
		"algorithm":       func(f field) { h.Algorithm = f.choice([]string{"sha256", "sha512", "sha1"}) },
		"timestampHeader": func(f field) { h.TimestampHeader = f.headerName() },
		"tolerance": func(f field) {
			h.Tolerance, tolerance = f.duration(time.Second, time.Hour), &f
		},
		"signed": func(f field) { h.Signed, signed = f.signed(), &f },
	}) {
		return h
	}
	switch {
	case f.lacks("secret"):
		f.bad("there is no secret: write secret: {env: NAME} with the one that the sender signs with")
	case f.lacks("preset") && f.lacks("header"):
		f.bad("nothing says where the signature is: write preset: %s, or header: NAME", strings.Join(SignaturePresets(), " or "))
	}
	f.judgeTimestamp(h, signed, tolerance)
	return h
}

// judgeTimestamp refuses a timestamp that anybody could change, and a tolerance for none: a request that was listened
// to could be sent again for ever, while the file reads as if it could not.
func (f field) judgeTimestamp(h HMAC, signed, tolerance *field) {
	stamped := strings.Contains(h.Signed, signedTimestamp)
	switch {
	case tolerance != nil && h.TimestampHeader == "":
		tolerance.badValue(tolerance.node.Value, "there is no timestamp that it could be for: give timestampHeader, too, or remove it")
	case h.TimestampHeader != "" && signed != nil && !stamped:
		signed.badValue(h.Signed, "the timestamp is not signed, so anybody could change it: write {timestamp} where the sender has it")
	case h.TimestampHeader != "" && signed == nil && h.Preset == "":
		f.bad("nothing says how the timestamp is signed: write signed: \"{timestamp}:{body}\", or as the sender has it")
	case stamped && h.TimestampHeader == "":
		signed.badValue(h.Signed, "nothing says where the timestamp is: give timestampHeader, too")
	}
}

// signed is what a signature is of.
func (f field) signed() string {
	text, ok := f.text()
	if !ok {
		return ""
	}
	switch rest := strings.ReplaceAll(text, signedTimestamp, ""); {
	case strings.Count(text, signedBody) != 1:
		f.badValue(text, "the body must be signed: write {body} once, and perhaps {timestamp} beside it")
	case strings.ContainsAny(strings.Replace(rest, signedBody, "", 1), "{}"):
		f.badValue(text, "in braces there is only {timestamp} and {body}")
	case strings.Count(text, signedTimestamp) > 1:
		f.badValue(text, "write {timestamp} once")
	}
	return text
}

func (f field) headerName() string {
	text, ok := f.text()
	if ok && !headerName.MatchString(text) {
		f.badValue(text, "the name of a header has letters, digits and -")
	}
	return text
}

var headerName = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
