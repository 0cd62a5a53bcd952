package receiver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
)

// Publisher is where a Receiver stores things: the bus.
type Publisher interface {
	// PublishInbox stores data as one message and returns its sequence. nil
	// means that it is on disk. id is unique to the message, to resolve a
	// publish whose outcome is in doubt. It returns soon after ctx ends, and
	// does not keep data.
	PublishInbox(ctx context.Context, kind, id string, data []byte) (uint64, error)
	// PublishQuarantine stores a body that could not be handled, likewise, of any
	// size.
	PublishQuarantine(ctx context.Context, source, id string, headers map[string]string, data []byte) (uint64, error)
	// MaxMessage is the size in bytes of the largest message it takes.
	MaxMessage() int
}

// Options are what a Receiver needs. Sources, Publisher, Log, Metrics, Now and
// IDs must be set; for the rest zero means the default.
type Options struct {
	Sources   []Source
	Publisher Publisher
	Log       *slog.Logger
	Metrics   prometheus.Registerer
	// Now is the clock that deliveries are stamped with.
	Now func() time.Time
	// IDs returns a new identifier: unique for ever, letters, digits, - and _.
	IDs func() string

	// MaxBody bounds a request's body in bytes: 10 MiB.
	MaxBody int
	// MaxInFlight bounds the memory of all requests being handled, in bytes:
	// 256 MiB. It must have room for a body of MaxBody and for what decoding
	// makes of it, together 17 times MaxBody.
	MaxInFlight int64
	// MaxQueue bounds the deliveries that wait for the committer: 1024.
	MaxQueue int
	// MaxGroup bounds the deliveries committed together: no bound but the size
	// of a message. 1 publishes each by itself.
	MaxGroup int
	// BodyTimeout bounds how long a body may take to arrive: 30 s.
	BodyTimeout time.Duration
	// PublishTimeout bounds one publish: 5 s.
	PublishTimeout time.Duration
	// CommitTimeout bounds how long a request waits for the queue and its
	// group's publish: 8 s, below the 10 s in which senders commonly give up.
	CommitTimeout time.Duration

	// TrustedProxies are the networks of proxies whose X-Forwarded-For is
	// believed. A request from elsewhere comes from where it comes from.
	TrustedProxies []netip.Prefix
	// FailureBurst bounds the failed attempts of one client address (of IPv6: of
	// one /64) in a row, those without any credential too: 30. From then on one
	// each FailureEvery is judged, 2 s, and the address's other requests are
	// answered with 503.
	FailureBurst int
	FailureEvery time.Duration
	// MaxSignatures bounds the signatures that each source remembers, so that
	// none is accepted twice: 65,536, of some 100 bytes. If more are accepted
	// within the time that their timestamps are good for, requests are answered
	// with 503.
	MaxSignatures int
}

// Receiver takes webhooks. It is made by [New] and stopped by [Receiver.Close].
type Receiver struct {
	sources   map[string]*source
	unknown   sourceMetrics
	publisher Publisher
	committer *committer
	budget    *budget
	// unproven is the part of it for bodies whose signature is not checked yet.
	unproven *budget
	proxies  []netip.Prefix
	failures *failures
	log      *slog.Logger
	now      func() time.Time
	ids      func() string

	maxBody        int
	inboxMessage   int
	bodyTimeout    time.Duration
	publishTimeout time.Duration
}

// source is a Source with what is derived from it.
type source struct {
	Source
	traits  Traits
	methods []string
	metrics sourceMetrics
	// open says that it lets everybody pass, so there is nothing to guess.
	open       bool
	signatures *signatures
}

// inboxKind is the kind of the INBOX messages written here.
const inboxKind = "delivery"

// New checks the options and starts the committer. The error names the option
// or the source that is wrong.
func New(o Options) (*Receiver, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("receiver: %w", err)
	}
	room := &budget{limit: o.MaxInFlight}
	m, err := newMetrics(o.Metrics, func() float64 { return float64(room.used.Load()) })
	if err != nil {
		return nil, err
	}
	rx := &Receiver{
		sources:        make(map[string]*source, len(o.Sources)),
		unknown:        m.of(""),
		publisher:      o.Publisher,
		budget:         room,
		unproven:       &budget{limit: unprovenMemory(o), whole: room},
		proxies:        o.TrustedProxies,
		failures:       &failures{every: rate.Every(o.FailureEvery), burst: o.FailureBurst},
		log:            o.Log,
		now:            o.Now,
		ids:            o.IDs,
		maxBody:        o.MaxBody,
		inboxMessage:   o.Publisher.MaxMessage() / inboxShare,
		bodyTimeout:    o.BodyTimeout,
		publishTimeout: o.PublishTimeout,
	}
	for _, s := range o.Sources {
		traits := s.Decoder.Traits()
		rx.sources[s.Name] = &source{
			Source:  s,
			traits:  traits,
			methods: append([]string{http.MethodPost}, traits.Methods...),
			metrics: m.of(s.Name),

			open:       slices.ContainsFunc(s.Auth, func(a Authenticator) bool { return a == Anonymous() }),
			signatures: &signatures{limit: o.MaxSignatures},
		}
	}
	rx.committer = &committer{
		publish:  rx.publish,
		observe:  func(deliveries int) { m.group.Observe(float64(deliveries)) },
		maxBytes: rx.inboxMessage,
		maxGroup: o.MaxGroup,
		timeout:  o.PublishTimeout,
		patience: o.CommitTimeout,
	}
	rx.committer.start(o.MaxQueue)
	return rx, nil
}

func (o Options) withDefaults() Options {
	orDefault(&o.MaxBody, 10<<20)
	orDefault(&o.MaxInFlight, 256<<20)
	orDefault(&o.MaxQueue, 1024)
	orDefault(&o.BodyTimeout, 30*time.Second)
	orDefault(&o.PublishTimeout, 5*time.Second)
	orDefault(&o.CommitTimeout, 8*time.Second)
	orDefault(&o.FailureBurst, 30)
	orDefault(&o.FailureEvery, 2*time.Second)
	orDefault(&o.MaxSignatures, 1<<16)
	return o
}

func orDefault[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func (o Options) validate() error {
	switch {
	case o.Publisher == nil || o.Log == nil || o.Metrics == nil || o.Now == nil || o.IDs == nil:
		return errors.New("Publisher, Log, Metrics, Now and IDs must be set")
	case len(o.Sources) == 0:
		return errors.New("no sources: name at least one")
	case o.MaxBody < 0 || o.MaxQueue < 0 || o.MaxGroup < 0:
		return errors.New("MaxBody, MaxQueue and MaxGroup must not be negative")
	case o.BodyTimeout < 0 || o.PublishTimeout < 0 || o.CommitTimeout < 0:
		return errors.New("BodyTimeout, PublishTimeout and CommitTimeout must not be negative")
	case o.FailureBurst < 0 || o.FailureEvery < 0 || o.MaxSignatures < 0:
		return errors.New("FailureBurst, FailureEvery and MaxSignatures must not be negative")
	case o.MaxInFlight < handlingMemory(o.MaxBody):
		return fmt.Errorf("MaxInFlight is %d: a body of MaxBody needs %d", o.MaxInFlight, handlingMemory(o.MaxBody))
	case o.Publisher.MaxMessage()/inboxShare < minInboxMessage:
		return fmt.Errorf("the bus takes messages of %d bytes: at least %d are needed",
			o.Publisher.MaxMessage(), inboxShare*minInboxMessage)
	}
	if err := validNetworks("TrustedProxies", o.TrustedProxies); err != nil {
		return err
	}
	seen := make(map[string]bool, len(o.Sources))
	for _, s := range o.Sources {
		if err := s.validate(); err != nil {
			return err
		}
		if seen[s.Name] {
			return fmt.Errorf("source %q is there twice", s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

// Mount adds the webhook route to e. The application owns e, its other routes
// and its middleware; [ErrorHandler] suits it as e.HTTPErrorHandler.
func (rx *Receiver) Mount(e *echo.Echo) {
	// All methods, so that a wrong one is answered after the source is known.
	e.Any("/v1/webhooks/:source", rx.serve)
}

// Handler returns a handler of the webhook route alone.
func (rx *Receiver) Handler() http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = ErrorHandler
	rx.Mount(e)
	return e
}

// Close refuses new deliveries with 503, stores the queued ones, and stops the
// committer. If ctx ends first, the rest is answered with 503 and the error says
// so.
func (rx *Receiver) Close(ctx context.Context) error { return rx.committer.close(ctx) }

// publish stores one group. The failure is logged here, once for its requests.
func (rx *Receiver) publish(ctx context.Context, data []byte) error {
	id := rx.ids()
	if _, err := rx.publisher.PublishInbox(ctx, inboxKind, id, data); err != nil {
		rx.log.LogAttrs(ctx, slog.LevelError, "a group of deliveries was not stored",
			slog.String("message", id), slog.Int("bytes", len(data)), slog.Any("error", err))
		return fmt.Errorf("publish message %s: %w", id, err)
	}
	return nil
}
