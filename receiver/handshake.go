package receiver

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// Handshaker is implemented by a [Decoder] whose senders first ask whether they
// may deliver. Such a request is authenticated like any other, and what it says
// is never followed: nothing it names is fetched.
type Handshaker interface {
	// Handshake returns the answer if the request is a handshake, and false if it
	// is a delivery. It must be pure and safe for concurrent use, and must not
	// keep h or body. A request with OPTIONS is never a delivery.
	Handshake(method string, h http.Header, body []byte) (Handshake, bool)
}

// Handshake is the answer to one.
type Handshake struct {
	Status int
	Header map[string]string
	Body   []byte
	// What names it in the log, in a few words and without anything secret.
	What string
}

// handshake is the answer if src and the request have one. OPTIONS that is none
// is refused here: it has nothing that could be decoded.
func handshake(r *http.Request, src *source, body []byte) (*Handshake, *refusal) {
	if asked, ok := src.Decoder.(Handshaker); ok {
		if answer, ok := asked.Handshake(r.Method, r.Header, body); ok {
			return &answer, nil
		}
	}
	if r.Method == http.MethodOptions {
		return nil, refuse(http.StatusBadRequest, reasonHandshake,
			"this OPTIONS is not a handshake that the source knows; alerts are sent with POST")
	}
	return nil, nil
}

// answerHandshake writes, counts and logs what the decoder answers.
func (rx *Receiver) answerHandshake(w http.ResponseWriter, r *http.Request, m sourceMetrics, answer *Handshake, started time.Time) {
	m.handshake(answer.Status, rx.now().Sub(started))
	rx.log.LogAttrs(r.Context(), slog.LevelInfo, "webhook handshake answered",
		slog.String("source", m.name), slog.Int("status", answer.Status),
		slog.String("detail", printable(answer.What)), slog.String("remote", rx.remote(r)))
	// A failed write means that nobody is there to be told.
	_ = writeHandshake(w, answer)
}

func writeHandshake(w http.ResponseWriter, answer *Handshake) error {
	for name, value := range answer.Header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(answer.Status)
	if _, err := w.Write(answer.Body); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
