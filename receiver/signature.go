package receiver

import "time"

// Signature is how one type of sender signs the bodies that it sends with a
// shared secret (RFC 2104). [SignaturePreset] knows those of some senders.
type Signature struct {
	Secret Secret
	// Base64Secret says that the key is what the secret decodes to, as
	// standard-webhooks has it; a "whsec_" before it is left out.
	Base64Secret bool
	// Header holds the signature, or several with Separator between them, of
	// which one must be right: while a secret is replaced, senders sign with both.
	Header    string
	Separator string
	// Prefix stands before each signature. What has another one counts for
	// nothing, as it may be of a version to come.
	Prefix string
	// Encoding is "hex", the default, or "base64".
	Encoding string
	// Algorithm is the hash: "sha256", the default, or "sha512".
	Algorithm string
	// TimestampHeader holds the seconds since 1970 at which it was signed. Or the
	// timestamp stands in Header: TimestampParam is then "t" for "t=1772357400".
	// With one of the two, a request without timestamp is refused, and so is one
	// that is off by more than Tolerance, and one that was accepted before.
	TimestampHeader string
	TimestampParam  string
	// Tolerance is 5 minutes unless set.
	Tolerance time.Duration
	// IDHeader holds the message's identifier, if that is signed too.
	IDHeader string
	// Signed is what is signed: a text with {body}, {timestamp} and {id}, of
	// which each that there is must occur once. What stands in brackets is left
	// out if there is no timestamp. The default is {body}.
	Signed string
}

// SignaturePreset returns the scheme of a type of sender; Secret is to be set,
// and what the owner has configured otherwise at the sender. Each name is one of
// [SignaturePresets].
func SignaturePreset(name string) (Signature, bool) {
	switch name {
	// https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
	// Which header holds the timestamp, if any, is configured there.
	case "grafana":
		return Signature{Header: "X-Grafana-Alerting-Signature", Signed: "[{timestamp}:]{body}"}, true
	// https://developer.pagerduty.com/docs/verifying-webhook-signatures
	// There is no timestamp, thus no protection against replays but the engine's,
	// which recognises what it has seen.
	case "pagerduty":
		return Signature{Header: "X-PagerDuty-Signature", Separator: ",", Prefix: "v1="}, true
	// https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
	case "github":
		return Signature{Header: "X-Hub-Signature-256", Prefix: "sha256="}, true
	// https://docs.slack.dev/authentication/verifying-requests-from-slack
	case "slack":
		return Signature{
			Header: "X-Slack-Signature", Prefix: "v0=", TimestampHeader: "X-Slack-Request-Timestamp", Signed: "v0:{timestamp}:{body}",
		}, true
	// https://docs.stripe.com/webhooks#verify-manually
	case "stripe":
		return Signature{
			Header: "Stripe-Signature", Separator: ",", Prefix: "v1=", TimestampParam: "t", Signed: "{timestamp}.{body}",
		}, true
	// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
	case "standard-webhooks":
		return Signature{
			Base64Secret: true, Header: "Webhook-Signature", Separator: " ", Prefix: "v1,", Encoding: "base64",
			TimestampHeader: "Webhook-Timestamp", IDHeader: "Webhook-Id", Signed: "{id}.{timestamp}.{body}",
		}, true
	}
	return Signature{}, false
}

// SignaturePresets are the names that [SignaturePreset] knows.
func SignaturePresets() []string {
	return []string{"github", "grafana", "pagerduty", "slack", "standard-webhooks", "stripe"}
}
