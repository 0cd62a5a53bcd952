package receiver

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/tripgen/paramedic/internal/alert"
)

// decodeShare is how much memory decoding and encoding take, in bodies, beside
// the body: labels as maps, the stored lines, the group's message. A test holds
// it. Bodies of tiny alerts take more for each byte, so decoders bound the
// number of alerts as well.
const decodeShare = 16

// firstLine bounds the buffer that a delivery's line begins with. Ordinary lines
// are shorter than their bodies; large bodies may be mostly what is not stored.
const firstLine = 8 << 10

// answerTimeout bounds the writing of an answer to a peer that does not read.
const answerTimeout = 10 * time.Second

// handlingMemory is what the budget reckons for a body of n bytes.
func handlingMemory(n int) int64 { return requestOverhead + int64(n)*(1+decodeShare) }

// receipt is the body of a 202.
type receipt struct {
	delivery string
	alerts   int
	// quarantined is how many of the body's alerts are refused, or 1 for a body
	// of which nothing could be used.
	quarantined int
	// ignored says why there was nothing to do, if that is so.
	ignored  string
	warnings []string
	// handshake is answered instead, if there is one.
	handshake *Handshake
}

func (got receipt) appendJSON(b []byte) []byte {
	b = appendString(append(b, `{"delivery":`...), got.delivery)
	b = strconv.AppendInt(append(b, `,"alerts":`...), int64(got.alerts), 10)
	if got.quarantined > 0 {
		b = strconv.AppendInt(append(b, `,"quarantined":`...), int64(got.quarantined), 10)
	}
	if got.ignored != "" {
		b = appendString(append(b, `,"ignored":`...), got.ignored)
	}
	if len(got.warnings) > 0 {
		b = appendStrings(append(b, `,"warnings":`...), got.warnings)
	}
	return append(b, "}\n"...)
}

// serve answers one request, whatever happens in it.
func (rx *Receiver) serve(c echo.Context) error {
	started := rx.now()
	w, r := c.Response().Writer, c.Request()
	name := c.Param("source")
	m := rx.unknown
	src, known := rx.sources[name]
	if known {
		m = src.metrics
	}
	got, refused := rx.guard(w, r, src)
	// Errors of the connection from here on mean that nobody listens.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout))
	if refused != nil {
		id := rx.ids()
		if refused.failed {
			rx.countFailure(r)
		}
		if !refused.quiet {
			rx.logRefusal(r, name, id, refused)
		}
		m.refuse(refused, rx.now().Sub(started))
		_ = refused.write(c.Response(), r.URL.EscapedPath()+"#"+id)
		return nil
	}
	if got.handshake != nil {
		rx.answerHandshake(c.Response(), r, m, got.handshake, started)
		return nil
	}
	m.accept(got, rx.now().Sub(started))
	rx.logReceipt(r, name, got)
	_ = writeReceipt(c.Response(), got)
	return nil
}

// guard turns a panic into a refusal: 503, as not every sender retries a 500.
func (rx *Receiver) guard(w http.ResponseWriter, r *http.Request, src *source) (got receipt, refused *refusal) {
	defer func() {
		if p := recover(); p != nil {
			refused = doubt(reasonInternal, fmt.Errorf("panic: %v\n%s", p, debug.Stack()), "an internal error; it is in the log")
			refused.hangUp = true
		}
	}()
	return rx.accept(w, r, src)
}

// accept takes one request from its headers to its group's ack.
func (rx *Receiver) accept(w http.ResponseWriter, r *http.Request, src *source) (receipt, *refusal) {
	// Also for what is refused unread: net/http reads on to the body's end.
	if err := readDeadline(w, time.Now().Add(rx.bodyTimeout)); err != nil {
		return receipt{}, doubt(reasonInternal, err, "the body cannot be read now")
	}
	v, refused := rx.admit(r, src)
	if refused != nil {
		return receipt{}, refused
	}
	room := rx.budget
	if !v.passed {
		room = rx.unproven
	}
	share, ok := room.hold(requestOverhead)
	if !ok {
		return receipt{}, busy()
	}
	handedOn := false
	defer func() {
		if !handedOn {
			share.release()
		}
	}()
	body, refused := rx.takeBody(w, r, share)
	if refused != nil {
		return receipt{}, refused
	}
	shown, refused := rx.prove(r, src, &v, body, share)
	if refused != nil {
		return receipt{}, refused
	}
	// What has left nothing behind may be sent again as it is.
	kept := false
	defer func() { shown.end(kept) }()
	got, lines, refused := rx.take(r, src, body, share)
	if refused != nil || lines == nil {
		kept = refused == nil || refused.quarantine != ""
		return got, refused
	}
	handedOn = true
	switch err := rx.committer.commit(r.Context(), lines, share.release); {
	case errors.Is(err, errClosed):
		return receipt{}, doubt(reasonClosing, err, "this receiver is shutting down; send again")
	case errors.Is(err, errQueueFull):
		return receipt{}, doubt(reasonBusy, err, "too many deliveries are waiting to be stored; send again")
	case err != nil:
		return receipt{}, doubt(reasonNotDurable, err, "the alerts may not be stored; send again")
	}
	kept = true
	return got, nil
}

// take decodes and encodes. It returns no lines and no refusal if the request is
// a handshake, if there is nothing to do, or if the body went into quarantine
// and the sender wants to hear 202.
func (rx *Receiver) take(r *http.Request, src *source, body []byte, share *hold) (receipt, [][]byte, *refusal) {
	if !share.resize(handlingMemory(len(body))) {
		return receipt{}, nil, busy()
	}
	answer, refused := handshake(r, src, body)
	if refused != nil || answer != nil {
		return receipt{handshake: answer}, nil, refused
	}
	d := alert.Delivery{ID: rx.ids(), Source: src.Name, ReceivedAt: rx.now().UTC()}
	decoded, err := rx.decode(src, r.Header, body, d.ReceivedAt)
	if err != nil {
		got, refused := rx.undecodable(r, src, d, body, err)
		return got, nil, refused
	}
	if decoded.ignored() {
		return receipt{delivery: d.ID, ignored: printable(decoded.Ignored), warnings: decoded.Warnings}, nil, nil
	}
	lines, decoded, err := rx.render(&d, decoded, min(len(body), firstLine))
	var unstorable *unstorableError
	switch {
	case errors.As(err, &unstorable):
		got, refused := rx.undecodable(r, src, d, body, err)
		return got, nil, refused
	case err != nil:
		return receipt{}, nil, doubt(reasonInternal, err, "an internal error; it is in the log")
	}
	if len(decoded.Refused) > 0 {
		if refused := rx.keepRefused(r, src, d, body, decoded); refused != nil {
			return receipt{}, nil, refused
		}
	}
	stored := 0
	for _, line := range lines {
		stored += cap(line) + len(line)
	}
	// The lines, and their copy in the group's message.
	if !share.resize(requestOverhead + int64(stored)) {
		return receipt{}, nil, busy()
	}
	return receipt{
		delivery: d.ID, alerts: len(d.Alerts), quarantined: len(decoded.Refused), warnings: d.Warnings,
	}, lines, nil
}

// decode holds the decoder to its contract.
func (rx *Receiver) decode(src *source, h http.Header, body []byte, at time.Time) (d Decoded, err error) {
	defer func() {
		if p := recover(); p != nil {
			rx.log.Error("a decoder panicked", slog.String("source", src.Name), slog.Any("panic", p),
				slog.String("stack", string(debug.Stack())))
			err = errors.New("the decoder failed; this is a bug in it")
		}
	}()
	d, err = src.Decoder.Decode(src.Name, h, body, at)
	if err != nil {
		return Decoded{}, err
	}
	switch d = sift(d); {
	case len(d.Alerts) > 0 || d.ignored():
		return d, nil
	case len(d.Refused) > 0:
		return Decoded{}, errors.New(d.refusals())
	default:
		return Decoded{}, errors.New("the body has no alerts")
	}
}

func busy() *refusal {
	return doubt(reasonBusy, nil, "too much is being handled at once; send again")
}

func (rx *Receiver) logReceipt(r *http.Request, source string, got receipt) {
	if got.alerts > 0 && got.quarantined > 0 {
		rx.log.LogAttrs(r.Context(), slog.LevelWarn, "webhook accepted in part",
			slog.String("source", source), slog.String("delivery", got.delivery), slog.Int("alerts", got.alerts),
			slog.Int("quarantined", got.quarantined), slog.String("detail", got.warnings[0]), slog.String("remote", rx.remote(r)))
		return
	}
	if got.ignored != "" {
		rx.log.LogAttrs(r.Context(), slog.LevelDebug, "webhook ignored",
			slog.String("source", source), slog.String("delivery", got.delivery), slog.String("detail", got.ignored))
		return
	}
	rx.log.LogAttrs(r.Context(), slog.LevelDebug, "webhook accepted",
		slog.String("source", source), slog.String("delivery", got.delivery), slog.Int("alerts", got.alerts))
}

func (rx *Receiver) logRefusal(r *http.Request, source, id string, f *refusal) {
	level := slog.LevelWarn
	if f.reason == reasonInternal || f.reason == reasonAuthUnavailable {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("source", source[:min(len(source), 64)]),
		slog.String("request", id),
		slog.String("reason", string(f.why())),
		slog.Int("status", f.status),
		slog.String("detail", f.detail),
		slog.String("remote", rx.remote(r)),
	}
	if f.quarantine != "" {
		attrs = append(attrs, slog.String("quarantine", f.quarantine))
	}
	if f.cause != nil {
		attrs = append(attrs, slog.Any("error", f.cause))
	}
	rx.log.LogAttrs(r.Context(), level, "webhook refused", attrs...)
}

func writeReceipt(w http.ResponseWriter, got receipt) error {
	body := got.appendJSON(make([]byte, 0, 96))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
