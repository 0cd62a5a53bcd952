package config

import (
	"regexp"
	"strings"
	"time"
)

// SignaturePresets are the senders whose signatures are known to the receiver by name.
func SignaturePresets() []string {
	return []string{"github", "grafana", "pagerduty", "slack", "standard-webhooks", presetStripe}
}

// presetStripe has the timestamp in the header of the signature.
const presetStripe = "stripe"

// signsTime reports whether what the sender signs has a place for a timestamp, and always whether it always has one.
// Grafana has one only where its owner has named a header for it.
func signsTime(preset string) (place, always bool) {
	switch preset {
	case "grafana":
		return true, false
	case "slack", "standard-webhooks", presetStripe:
		return true, true
	default:
		return false, false
	}
}

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
		"algorithm":       func(f field) { h.Algorithm = f.choice([]string{"sha256", "sha512"}) },
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
		f.bad("nothing says where the signature is: write header: NAME, or preset: NAME for one of %s", strings.Join(SignaturePresets(), ", "))
	}
	f.judgeTimestamp(h, signed, tolerance)
	return h
}

// judgeTimestamp refuses a timestamp that anybody could change, and a tolerance for none: a request that was listened
// to could be sent again for ever, while the file reads as if it could not.
func (f field) judgeTimestamp(h HMAC, signed, tolerance *field) {
	place, always := signsTime(h.Preset)
	if signed != nil {
		place = strings.Contains(h.Signed, signedTimestamp)
	}
	given := h.TimestampHeader != "" || always
	switch {
	case h.Preset == presetStripe && h.TimestampHeader != "":
		f.bad("the timestamp of %s stands beside the signature: remove timestampHeader", presetStripe)
	case given && !place && signed != nil:
		signed.badValue(h.Signed, "the timestamp is not signed, so anybody could change it: write {timestamp} where the sender has it")
	case given && !place:
		f.bad("nothing says how the timestamp is signed: write signed: \"{timestamp}:{body}\", or as the sender has it")
	case place && !given && signed != nil:
		signed.badValue(h.Signed, "nothing says where the timestamp is: give timestampHeader, too")
	case tolerance != nil && !given:
		tolerance.badValue(tolerance.node.Value, "there is no timestamp that it could be for: give timestampHeader, too, or remove it")
	}
}

// signed is what a signature is of.
func (f field) signed() string {
	if f.isMapping() {
		f.bad("braces make a mapping of it: write the text in quotes")
		return ""
	}
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
