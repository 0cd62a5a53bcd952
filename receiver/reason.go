package receiver

// Reason names a kind of refusal: the end of the problem's type, the log's
// reason and the metric's label. Those that are exported are for a [Denial].
type Reason string

// What credentials are refused for. To the sender, all but the two about replays
// are the same.
const (
	// ReasonSignature: no signature is that of the body under the secret.
	ReasonSignature Reason = "wrong-signature"
	// ReasonStale: it was signed too long ago, or in the future.
	ReasonStale Reason = "stale-signature"
	// ReasonReplayed: it was accepted before.
	ReasonReplayed Reason = "replayed-signature"
	// ReasonToken: it is no token, or not signed by the key that it names, or
	// with an algorithm that is not accepted.
	ReasonToken Reason = "token-invalid"
	// ReasonTokenKey: the issuer has no such key.
	ReasonTokenKey Reason = "token-key-unknown"
	// ReasonTokenExpired: it was valid once.
	ReasonTokenExpired Reason = "token-expired"
	// ReasonTokenEarly: it will be valid.
	ReasonTokenEarly Reason = "token-early"
	// ReasonTokenIssuer: it is of another issuer, or tenant.
	ReasonTokenIssuer Reason = "token-issuer"
	// ReasonTokenAudience: it is for somebody else.
	ReasonTokenAudience Reason = "token-audience"
	// ReasonTokenClaim: it lacks a claim, such as the caller or a role.
	ReasonTokenClaim Reason = "token-claim"
)

const (
	reasonNotFound        Reason = "not-found"
	reasonMethod          Reason = "method-not-allowed"
	reasonAddress         Reason = "address-not-allowed"
	reasonFailures        Reason = "too-many-failures"
	reasonUnauthenticated Reason = "unauthenticated"
	reasonForbidden       Reason = "forbidden"
	reasonAuthUnavailable Reason = "authentication-unavailable"
	reasonSignatures      Reason = "too-many-signatures"
	reasonMediaType       Reason = "unsupported-media-type"
	reasonEncoding        Reason = "unsupported-content-encoding"
	reasonBodyTooLarge    Reason = "body-too-large"
	reasonAlertTooLarge   Reason = "alert-too-large"
	reasonTooManyAlerts   Reason = "too-many-alerts"
	reasonBodyTimeout     Reason = "body-timeout"
	reasonBodyIncomplete  Reason = "body-incomplete"
	reasonUndecodable     Reason = "undecodable"
	reasonHandshake       Reason = "unknown-handshake"
	reasonBusy            Reason = "busy"
	reasonClosing         Reason = "shutting-down"
	reasonNotDurable      Reason = "not-durable"
	reasonInternal        Reason = "internal"
)

// known bounds what a metric's label can be.
func (r Reason) known() bool { return r.title() != "" }

// shown tells which of a Denial's the sender may know: its own clock, and that
// what it has is no secret of ours.
func (r Reason) shown() bool { return r == ReasonStale || r == ReasonReplayed }

func (r Reason) title() string {
	switch r {
	case ReasonSignature:
		return "Wrong signature"
	case ReasonStale:
		return "Signature too old"
	case ReasonReplayed:
		return "Accepted before"
	case ReasonToken, ReasonTokenKey, ReasonTokenExpired, ReasonTokenEarly, ReasonTokenIssuer, ReasonTokenAudience, ReasonTokenClaim:
		return "Wrong token"
	case reasonAddress:
		return "Address not allowed"
	case reasonFailures:
		return "Too many failures"
	case reasonUnauthenticated:
		return "Not authenticated"
	case reasonForbidden:
		return "Not allowed"
	case reasonAuthUnavailable:
		return "Credentials cannot be checked"
	case reasonSignatures:
		return "Too many signatures"
	default:
		return r.titleOfRequest()
	}
}

// titleOfRequest is about what is not the credentials' fault.
func (r Reason) titleOfRequest() string {
	switch r {
	case reasonNotFound:
		return "No such source"
	case reasonMethod:
		return "Method not allowed"
	case reasonMediaType:
		return "Unsupported media type"
	case reasonEncoding:
		return "Unsupported content encoding"
	case reasonBodyTooLarge:
		return "Body too large"
	case reasonAlertTooLarge:
		return "Alert too large"
	case reasonTooManyAlerts:
		return "Too many alerts"
	case reasonBodyTimeout:
		return "Body too slow"
	case reasonBodyIncomplete:
		return "Body incomplete"
	case reasonUndecodable:
		return "Body cannot be decoded"
	case reasonHandshake:
		return "Unknown handshake"
	case reasonBusy:
		return "Too busy"
	case reasonClosing:
		return "Shutting down"
	case reasonNotDurable:
		return "Not stored"
	case reasonInternal:
		return "Internal error"
	default:
		return ""
	}
}
