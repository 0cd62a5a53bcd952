package bus

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The errors that callers decide by; test for them with errors.Is.
var (
	// ErrLostRace: somebody else's record stands where ours was to go. Ours
	// was not appended and never will be.
	ErrLostRace = errors.New("another record was appended first")
	// ErrFull: the stream or the store has reached its limit. Nothing was
	// stored; it will not be until space is freed or the limit is raised.
	ErrFull = errors.New("storage limit reached")
	// ErrTooLarge: the message exceeds what the bus takes; see Bus.MaxMessage.
	ErrTooLarge = errors.New("message too large for the bus")
	// ErrExists: the key is already there.
	ErrExists = errors.New("key exists")
	// ErrNotFound: no such key, message or snapshot.
	ErrNotFound = errors.New("not found")
	// ErrConflict: the key has another revision than the one expected.
	ErrConflict = errors.New("key was changed by somebody else")
	// ErrGap: messages are missing that must be there. The stream was damaged
	// or cut from outside; nothing may be concluded from what remains.
	ErrGap = errors.New("messages are missing from the stream")
	// ErrClosed: the Bus, Reader or Lease is closed.
	ErrClosed = errors.New("bus is closed")
)

// PublishError is returned when a message could not be made durable.
type PublishError struct {
	Subject string
	ID      string
	// Ambiguous is true when the message may be stored nevertheless, because
	// an attempt was sent and never answered. False means it is not stored.
	Ambiguous bool
	Err       error
}

func (e *PublishError) Error() string {
	state := "not stored"
	if e.Ambiguous {
		state = "may or may not be stored"
	}
	return fmt.Sprintf("publish %s (id %s), %s: %v", e.Subject, e.ID, state, e.Err)
}

// Unwrap gives the cause.
func (e *PublishError) Unwrap() error { return e.Err }

// verdict is what an error of a publish says about the message.
type verdict int

const (
	unknown   verdict = iota // it may be stored; ask or repeat
	unsent                   // it is not stored; a repeat may succeed
	refused                  // it is not stored and a repeat is useless
	wrongLast                // the compare-and-swap failed, maybe against our own message
	closed                   // the connection is gone for good; it may be stored
)

// Error codes of the JetStream API that the client does not name; see
// server/errors.json of nats-server.
const (
	codeAccountResources  jetstream.ErrorCode = 10002
	codeNoPeers           jetstream.ErrorCode = 10005
	codeClusterUnready    jetstream.ErrorCode = 10008
	codeNotLeader         jetstream.ErrorCode = 10009
	codeServerResources   jetstream.ErrorCode = 10023
	codeStorageResources  jetstream.ErrorCode = 10047
	codeStreamConfig      jetstream.ErrorCode = 10052
	codeNoReplication     jetstream.ErrorCode = 10074
	codeStoreFailed       jetstream.ErrorCode = 10077
	codeSubjectSeqPending jetstream.ErrorCode = 10163
	codeTooManyRequests   jetstream.ErrorCode = 10167
)

// classify says what err means for the message of one publish attempt, and
// returns it with the sentinel that callers test for. Whatever is not known to
// be harmless counts as unknown.
func classify(err error) (verdict, error) {
	var api *jetstream.APIError
	switch {
	case errors.As(err, &api):
		return classifyAPI(api, err)
	case errors.Is(err, nats.ErrMaxPayload):
		return refused, fmt.Errorf("%w: %w", ErrTooLarge, err)
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, jetstream.ErrNoStreamResponse),
		errors.Is(err, nats.ErrReconnectBufExceeded):
		return unsent, err
	case errors.Is(err, nats.ErrConnectionClosed):
		return closed, fmt.Errorf("%w: %w", ErrClosed, err)
	default:
		return unknown, err
	}
}

func classifyAPI(api *jetstream.APIError, err error) (verdict, error) {
	switch api.ErrorCode {
	case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant:
		return wrongLast, err
	case codeAccountResources, codeServerResources, codeStorageResources:
		return refused, fmt.Errorf("%w: %w", ErrFull, err)
	case codeStoreFailed:
		// The code stands for any failure of the store; only the limits are
		// known to be checked before anything is written.
		if strings.Contains(api.Description, "maximum bytes exceeded") ||
			strings.Contains(api.Description, "maximum messages exceeded") {
			return refused, fmt.Errorf("%w: %w", ErrFull, err)
		}
		return unknown, err
	case jetstream.JSErrCodeStreamMessageExceedsMaximum:
		return refused, fmt.Errorf("%w: %w", ErrTooLarge, err)
	case codeClusterUnready, codeNotLeader, codeSubjectSeqPending, codeTooManyRequests:
		return unsent, err
	case jetstream.JSErrCodeBadRequest, jetstream.JSErrCodeStreamNotFound:
		return refused, err
	default:
		return unknown, err
	}
}
