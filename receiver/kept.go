package receiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// replayWarning goes with a delivery that was replayed, for whoever looks at it.
const replayWarning = "replayed from quarantine"

// Kept is a body as it lies in quarantine.
type Kept struct {
	// ID is that of the delivery that it came as, and Source who sent it.
	ID, Source string
	// Headers are those that it was kept with.
	Headers map[string]string
	Body    []byte
}

// Replayed is what the present decoder of a source makes of a body from
// quarantine. It stands for one of Alerts, Ignored and Refused.
type Replayed struct {
	// Alerts counts what was stored, or would be.
	Alerts int
	// Ignored says why a sound body leaves nothing to do.
	Ignored string
	// Refused says why the body still cannot be used, or not wholly, and what is to
	// be mended. Nothing is stored of it.
	Refused string
	// Warnings are for a person: what was odd, yet could be read.
	Warnings []string
}

// Replay decodes a body from quarantine again, and stores its alerts as the
// delivery that it came as, received when it was: however late it is, nobody takes
// it for news. It is stored wholly or not at all.
//
// If it returns no error and nothing was refused, the alerts are on disk and the
// body may be deleted; until then it may be replayed again, since repeated alerts
// are recognised by their episodes. An error says that the alerts may not be on
// disk, and that the same may succeed later.
func (rx *Receiver) Replay(ctx context.Context, k Kept) (Replayed, error) {
	share, err := rx.holdFor(k)
	if err != nil {
		return Replayed{}, err
	}
	lines, got, err := rx.reread(k)
	if err != nil || lines == nil {
		share.release()
		return got, err
	}
	if err := rx.committer.commit(ctx, lines, share.release); err != nil {
		return Replayed{}, fmt.Errorf("replay %s: the alerts may not be stored: %w", k.ID, err)
	}
	return got, nil
}

// Try says what Replay would do, and stores nothing.
func (rx *Receiver) Try(k Kept) (Replayed, error) {
	share, err := rx.holdFor(k)
	if err != nil {
		return Replayed{}, err
	}
	defer share.release()
	_, got, err := rx.reread(k)
	return got, err
}

// holdFor takes the memory that handling a body needs from that of the requests.
func (rx *Receiver) holdFor(k Kept) (*hold, error) {
	share, ok := rx.budget.hold(handlingMemory(len(k.Body)))
	if !ok {
		return nil, fmt.Errorf("replay %s: too much is being handled at once; try again", k.ID)
	}
	return share, nil
}

// reread returns the lines to store; none if there is nothing to store.
func (rx *Receiver) reread(k Kept) ([][]byte, Replayed, error) {
	src, known := rx.sources[k.Source]
	if !known {
		return nil, refusedAgain("no source %q is configured here: configure it again, with the type that it had, or drop the body", k.Source), nil
	}
	at, unknown := time.Parse(time.RFC3339Nano, k.Headers[HeaderReceivedAt])
	if unknown != nil {
		return nil, refusedAgain("nobody can tell how old its alerts are, so drop it: the header %s: %v", HeaderReceivedAt, unknown), nil
	}
	header := make(http.Header, len(k.Headers))
	for name, value := range k.Headers {
		header.Set(name, value)
	}
	decoded, err := rx.decode(src, header, k.Body, at)
	switch {
	case err != nil:
		return nil, refusedAgain("%v", err), nil
	case decoded.ignored():
		return nil, Replayed{Ignored: printable(decoded.Ignored), Warnings: decoded.Warnings}, nil
	}
	d := alert.Delivery{ID: k.ID, Source: src.Name, ReceivedAt: at.UTC()}
	warnings := decoded.Warnings
	decoded.Warnings = append([]string{replayWarning}, warnings...)
	lines, stored, err := rx.render(&d, decoded, min(len(k.Body), firstLine))
	var unstorable *unstorableError
	switch {
	case errors.As(err, &unstorable):
		return nil, refusedAgain("%v", err), nil
	case err != nil:
		return nil, Replayed{}, fmt.Errorf("replay %s: %w", k.ID, err)
	case len(stored.Refused) > 0:
		return nil, refusedAgain("%s", stored.refusals()), nil
	}
	return lines, Replayed{Alerts: len(d.Alerts), Warnings: warnings}, nil
}

func refusedAgain(format string, args ...any) Replayed {
	return Replayed{Refused: printable(fmt.Sprintf(format, args...))}
}
