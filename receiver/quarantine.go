package receiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/tripgen/paramedic/internal/alert"
)

// Headers of a body in quarantine, beside those of the request.
const (
	// HeaderReason says why the body was kept. "refused m of n alerts: ..." means
	// that the others were accepted, as the delivery of the same identifier.
	HeaderReason = "Paramedic-Reason"
	// HeaderReceivedAt is when it had been read, RFC 3339.
	HeaderReceivedAt = "Paramedic-Received-At"
	// HeaderMissing names headers of the request that are not kept, or not as they
	// came: there was no room, there were several of one name, or one may carry a
	// secret. A replay may then find something else than the request would have.
	HeaderMissing = "Paramedic-Headers-Missing"
)

// maxDetail bounds what a decoder says in answers, headers and logs, in bytes.
const maxDetail = 1000

// undecodable keeps a body of which nothing can be used, and answers as the
// source wants it.
func (rx *Receiver) undecodable(r *http.Request, src *source, d alert.Delivery, body []byte, why error) (receipt, *refusal) {
	detail := printable(why.Error())
	if err := rx.quarantine(r, src, d, body, detail); err != nil {
		return receipt{}, doubt(reasonNotDurable, err, "the body cannot be decoded, and could not be kept; send again")
	}
	src.metrics.quarantined.Inc()
	var f *refusal
	var large *unstorableError
	switch {
	case errors.As(why, &large):
		f = refuse(http.StatusRequestEntityTooLarge, reasonAlertTooLarge, "%s", detail)
	case errors.Is(why, ErrTooLarge):
		f = refuse(http.StatusRequestEntityTooLarge, reasonTooManyAlerts, "%s", detail)
	default:
		f = refuse(src.traits.UndecodableStatus, reasonUndecodable, "%s", detail)
	}
	f.quarantine = d.ID
	if src.traits.UndecodableStatus == http.StatusAccepted {
		rx.logRefusal(r, src.Name, d.ID, f)
		src.metrics.all.refused.WithLabelValues(src.Name, string(f.reason)).Inc()
		return receipt{delivery: d.ID, quarantined: 1}, nil
	}
	return receipt{}, f
}

func (rx *Receiver) quarantine(r *http.Request, src *source, d alert.Delivery, body []byte, reason string) error {
	// A sender that hangs up must not keep its body out of quarantine.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), rx.publishTimeout)
	defer cancel()
	headers := keepHeaders(r.Header, src.traits.Headers, reason, d.ReceivedAt.Format(time.RFC3339Nano))
	if _, err := rx.publisher.PublishQuarantine(ctx, src.Name, d.ID, headers, body); err != nil {
		return fmt.Errorf("quarantine %s: %w", d.ID, err)
	}
	return nil
}

// printable makes s fit for a header and a line of a log.
func printable(s string) string {
	if len(s) > maxDetail {
		s = s[:maxDetail] + "..."
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
}
