package receiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/tripgen/paramedic/internal/alert"
)

// Headers of a message in quarantine, beside those of the request.
const (
	// HeaderReason says why the body was kept. "refused m of n alerts: ..." means
	// that the others were accepted, as the delivery of the same identifier.
	HeaderReason = "Paramedic-Reason"
	// HeaderReceivedAt is when it had been read, RFC 3339.
	HeaderReceivedAt = "Paramedic-Received-At"
	// HeaderPart and HeaderParts number the pieces of a body that is larger than
	// a message, from 0. Their identifiers are the body's with ".0", ".1" ...
	HeaderPart  = "Paramedic-Part"
	HeaderParts = "Paramedic-Parts"
)

// quarantineShare is the part of the bus's largest message that a piece of a
// body may fill; the rest is ample for its headers.
const quarantineShare = 2

const (
	// maxDetail bounds what a decoder says in answers, headers and logs, in bytes.
	maxDetail = 1000
	// maxHeaders bounds the headers that are kept, in bytes of JSON: the bus has
	// room for 7 KiB.
	maxHeaders = 6 << 10
)

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
	headers := map[string]string{
		HeaderReason:     reason,
		HeaderReceivedAt: d.ReceivedAt.Format(time.RFC3339Nano),
	}
	// What a replay needs comes first: the others are dropped if it is too much.
	for _, name := range append(append([]string{"Content-Type"}, src.traits.Headers...), "User-Agent") {
		if value := r.Header.Get(name); value != "" {
			headers[name] = printable(value)
			if all, err := json.Marshal(headers); err != nil || len(all) > maxHeaders {
				delete(headers, name)
			}
		}
	}
	piece := rx.publisher.MaxMessage() / quarantineShare
	if len(body) <= piece {
		return rx.quarantineOne(ctx, src, d.ID, headers, body)
	}
	parts := (len(body) + piece - 1) / piece
	headers[HeaderParts] = strconv.Itoa(parts)
	for part := range parts {
		headers[HeaderPart] = strconv.Itoa(part)
		id := d.ID + "." + strconv.Itoa(part)
		data := body[part*piece : min((part+1)*piece, len(body))]
		if err := rx.quarantineOne(ctx, src, id, headers, data); err != nil {
			return err
		}
	}
	return nil
}

func (rx *Receiver) quarantineOne(ctx context.Context, src *source, id string, headers map[string]string, data []byte) error {
	if _, err := rx.publisher.PublishQuarantine(ctx, src.Name, id, headers, data); err != nil {
		return fmt.Errorf("quarantine %s: %w", id, err)
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
