package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Pull requests are sent by hand rather than through the client's iterators:
// work must be handed back when nobody waits for it any more, and a replay needs
// to see the consumer's own sequence to notice a loss. The protocol is described
// in NATS ADR-13 and ADR-37.

// pullRequest is the body of a request to $JS.API.CONSUMER.MSG.NEXT.
type pullRequest struct {
	Expires   time.Duration `json:"expires"`
	Batch     int           `json:"batch"`
	MaxBytes  int           `json:"max_bytes,omitempty"`
	Heartbeat time.Duration `json:"idle_heartbeat"`
}

func (b *Bus) sendPull(stream, consumer, reply string, r pullRequest) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode pull request: %w", err)
	}
	if err := b.nc.PublishRequest(b.api+"CONSUMER.MSG.NEXT."+stream+"."+consumer, reply, body); err != nil {
		return fmt.Errorf("pull from %s: %w", consumer, err)
	}
	return nil
}

// errConsumerLost: the consumer is gone or has moved; make it again.
var errConsumerLost = errors.New("consumer lost")

// status is what a message on the reply subject says about a pull request.
type status struct {
	beat     bool // only a sign of life
	unserved int  // messages of the request that will not come any more
	lost     error
}

// readStatus reads a control message. Unknown ones count as a lost consumer,
// which is always repaired.
func readStatus(m *nats.Msg) status {
	code, text := m.Header.Get("Status"), strings.ToLower(m.Header.Get("Description"))
	n, err := strconv.Atoi(m.Header.Get("Nats-Pending-Messages"))
	if err != nil {
		n = 0
	}
	switch {
	case code == "100":
		return status{beat: true}
	case code == "408", code == "404",
		code == "409" && (strings.Contains(text, "batch completed") || strings.Contains(text, "exceeds maxbytes")):
		return status{unserved: n}
	default:
		return status{lost: fmt.Errorf("%w: %s %s", errConsumerLost, code, text)}
	}
}

// delivery is what the reply subject of a delivered message says about it.
type delivery struct {
	deliveries, streamSeq, consumerSeq, pending uint64
	stored                                      time.Time
}

// parseDelivery reads $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.
// <consumer seq>.<ns>.<pending>, or the longer form with domain and account
// before the stream (NATS ADR-15).
func parseDelivery(reply string) (delivery, error) {
	var tok [13]string
	n, rest, more := 0, reply, true
	for more && n < len(tok) {
		tok[n], rest, more = strings.Cut(rest, ".")
		n++
	}
	at := 4
	if n >= 11 {
		at = 6
	} else if n != 9 {
		return delivery{}, fmt.Errorf("not a JetStream delivery: reply subject %q", reply)
	}
	var v [5]uint64
	for i := range v {
		x, err := strconv.ParseUint(tok[at+i], 10, 64)
		if err != nil {
			return delivery{}, fmt.Errorf("reply subject %q: %w", reply, err)
		}
		v[i] = x
	}
	return delivery{
		deliveries: v[0], streamSeq: v[1], consumerSeq: v[2], pending: v[4],
		stored: time.Unix(0, int64(v[3])), //nolint:gosec // nanoseconds since 1970
	}, nil
}

// toMsg makes the message that callers see.
func toMsg(m *nats.Msg, d delivery) Msg {
	return Msg{
		Seq: d.streamSeq, Subject: m.Subject, Time: d.stored, ID: m.Header.Get(headerID),
		Meta: decodeMeta(m.Header), Data: m.Data,
	}
}

// decodeMeta reads headerMeta. What somebody else published without it, or
// with nonsense in it, has none.
func decodeMeta(h nats.Header) map[string]string {
	v := h[headerMeta]
	if len(v) == 0 {
		return nil
	}
	var meta map[string]string
	if json.Unmarshal([]byte(v[0]), &meta) != nil {
		return nil
	}
	return meta
}

// within derives a context that also ends with the Bus.
func (b *Bus) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(b.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}
