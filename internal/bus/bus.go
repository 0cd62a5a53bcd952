package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Config says where the bus lives.
type Config struct {
	// Dir is the store directory of the embedded server, used when URL is
	// empty. One process at a time may use it.
	Dir string
	// URL is the address, or a comma-separated list, of an external cluster.
	URL string
	// Credentials is the path of a file for URL, with a NATS credential (JWT and
	// seed) or the seed of an NKey alone; empty for none.
	Credentials string
	// Domain is the JetStream domain of URL under which the streams are reached,
	// as across accounts or leaf nodes; empty for the connection's own.
	Domain string
	// Join, when not empty, names the worker group that this is opened for. It
	// then binds to what the hub has made for the group, and waits for it, makes
	// and changes nothing, and asks for nothing that the group's credentials do
	// not allow; only Work, Claims, Pauses, PublishInbox and PublishDead may be used.
	Join string
	// Replicas of every stream: 3 is usual on a cluster, 1 the only possibility
	// when embedded. 0 leaves existing streams as they are and makes new ones with 1.
	Replicas int
	// MaxStore limits what all streams together may store, in bytes. 0 means
	// four fifths of what the disk has free when embedded; on a cluster it leaves
	// the limits of existing streams alone and makes new ones out of 10 GiB.
	MaxStore int64
	// Name is shown to the server's operators as the client's name.
	Name string
	// Logger receives warnings and errors of the server and the connection;
	// nil discards them.
	Logger *slog.Logger
	// Hook, when not nil, is called at each named fault point; crash tests end
	// the process there.
	Hook func(point string)
	// InboxRetention is how long decided messages stay in INBOX; 30 days by default.
	InboxRetention time.Duration
}

// Bus is an open set of streams. See the package comment for what it promises.
type Bus struct {
	cfg     Config
	log     *slog.Logger
	srv     *server.Server // nil on an external cluster
	lock    *os.File       // held while the embedded server runs
	nc      *nats.Conn
	js      jetstream.JetStream
	api     string // prefix of the JetStream API's subjects
	streams map[string]jetstream.Stream
	snaps   jetstream.ObjectStore

	ctx    context.Context // ends with the Bus; for the goroutines it owns
	cancel context.CancelFunc
	owned  sync.WaitGroup // goroutines that Close waits for

	mu       sync.Mutex
	closing  bool
	inflight sync.WaitGroup              // publishes that Close lets finish
	groups   map[string]jetstream.Stream // claims of worker groups, by the stream's name
	full     map[string]int64            // size of the message that a stream last refused as full
	conn     context.Context             // ends when the present connection is lost
	lost     context.CancelFunc
}

// openTimeout bounds Open; ctx may end it sooner. A large store takes a while to
// be recovered.
const openTimeout = 2 * time.Minute

// Open starts or reaches the server and brings every stream to the shape that
// this version needs, without removing anything that is stored. It fails when
// the store directory is in use, the cluster cannot be reached or an existing
// stream cannot be brought into shape.
func Open(ctx context.Context, c Config) (*Bus, error) {
	b := &Bus{cfg: withDefaults(c), streams: map[string]jetstream.Stream{}, groups: map[string]jetstream.Stream{}, full: map[string]int64{}}
	b.log = b.cfg.Logger
	b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	b.conn, b.lost = context.WithCancel(context.WithoutCancel(b.ctx))
	octx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := b.open(octx); err != nil {
		return nil, errors.Join(fmt.Errorf("open bus: %w", err), b.Close(ctx))
	}
	return b, nil
}

func withDefaults(c Config) Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.InboxRetention == 0 {
		c.InboxRetention = 30 * 24 * time.Hour
	}
	if c.Name == "" {
		c.Name = "paramedic"
	}
	return c
}

func (b *Bus) open(ctx context.Context) error {
	if b.cfg.InboxRetention < 0 {
		return fmt.Errorf("config: InboxRetention is %s: want a positive duration", b.cfg.InboxRetention)
	}
	if b.cfg.MaxStore < 0 || b.cfg.Replicas < 0 {
		return fmt.Errorf("config: MaxStore is %d and Replicas %d: want neither negative", b.cfg.MaxStore, b.cfg.Replicas)
	}
	var err error
	switch {
	case b.cfg.URL == "" && b.cfg.Join != "":
		return errors.New("config: URL is not set: a worker that joins needs the address of the hub's bus")
	case b.cfg.URL == "":
		if err = b.startServer(ctx); err != nil {
			return err
		}
		b.nc, err = nats.Connect("", b.options(nats.InProcessServer(b.srv))...)
	default:
		var credentials []nats.Option
		if credentials, err = b.credentials(); err != nil {
			return err
		}
		b.nc, err = nats.Connect(b.cfg.URL, b.options(credentials...)...)
	}
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if b.js, err = b.jetStream(); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if b.cfg.Join != "" {
		return b.bind(ctx)
	}
	return b.setup(ctx)
}

func (b *Bus) jetStream() (jetstream.JetStream, error) {
	b.api = "$JS.API."
	if b.cfg.Domain == "" {
		return jetstream.New(b.nc)
	}
	b.api = "$JS." + b.cfg.Domain + ".API."
	return jetstream.NewWithDomain(b.nc, b.cfg.Domain)
}

func (b *Bus) credentials() ([]nats.Option, error) {
	file := b.cfg.Credentials
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file) //nolint:gosec // the configuration names it
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	if bytes.Contains(text, []byte("BEGIN NATS USER JWT")) {
		return []nats.Option{nats.UserCredentials(file)}, nil
	}
	key, err := nats.NkeyOptionFromSeed(file)
	if err != nil {
		return nil, fmt.Errorf("credentials %s: neither a NATS credential nor the seed of an NKey: %w", file, err)
	}
	return []nats.Option{key}, nil
}

func (b *Bus) options(more ...nats.Option) []nats.Option {
	return append(more,
		nats.Name(b.cfg.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250*time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 500*time.Millisecond),
		nats.PingInterval(5*time.Second), nats.MaxPingsOutstanding(2),
		// Nothing is buffered while disconnected: a message that is sent only
		// after its caller was told of the failure would be a surprise.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			b.disconnected()
			if err != nil {
				b.log.Warn("bus connection lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			b.log.Warn("bus connection is back", "server", nc.ConnectedServerName())
		}),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			b.log.Warn("bus connection error", "subject", subject, "error", err)
		}),
	)
}

// MaxMessage is the largest payload, in bytes, that the bus takes.
func (b *Bus) MaxMessage() int { return int(b.nc.MaxPayload()) - headerReserve }

// Close lets publishes under way finish, ends what the Bus runs by itself, and
// shuts the embedded server down, waiting for it. ctx bounds each wait; the
// rest is done in any case. Closing twice is harmless.
func (b *Bus) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closing = true
	b.mu.Unlock()
	var errs []error
	if err := waitFor(ctx, b.inflight.Wait); err != nil {
		errs = append(errs, fmt.Errorf("publishes under way: %w", err))
	}
	b.cancel()
	b.owned.Wait()
	if b.nc != nil {
		if !b.nc.IsClosed() && ctx.Err() == nil {
			if err := b.flush(ctx); err != nil {
				errs = append(errs, fmt.Errorf("flush: %w", err))
			}
		}
		b.nc.Close()
	}
	b.mu.Lock()
	b.lost()
	b.mu.Unlock()
	if err := b.stopServer(ctx); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return fmt.Errorf("close bus: %w", errors.Join(errs...))
	}
	return nil
}

// disconnected ends what waits for an answer on the lost connection, where none
// will come any more.
func (b *Bus) disconnected() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lost()
	b.conn, b.lost = context.WithCancel(context.WithoutCancel(b.ctx))
}

// connection is a context that ends when the present connection is lost.
func (b *Bus) connection() context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.conn
}

// bounded derives the context of one request.
func (b *Bus) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	stop := context.AfterFunc(b.connection(), cancel)
	return ctx, func() { stop(); cancel() }
}

// flush waits until the server has taken everything sent so far.
func (b *Bus) flush(ctx context.Context) error {
	if err := b.nc.LastError(); b.nc.Status() != nats.CONNECTED {
		return fmt.Errorf("not connected: %w", errors.Join(nats.ErrDisconnected, err))
	}
	ctx, cancel := b.bounded(ctx)
	defer cancel()
	if err := b.nc.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}

// waitFor runs f and returns early when ctx ends. f must end soon by itself.
func waitFor(ctx context.Context, f func()) error {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// enter registers a publish, which Close will wait for.
func (b *Bus) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing {
		return ErrClosed
	}
	b.inflight.Add(1)
	return nil
}

func (b *Bus) leave() { b.inflight.Done() }

// own starts f as a goroutine that Close waits for; f ends when b.ctx does.
func (b *Bus) own(f func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing {
		return ErrClosed
	}
	b.owned.Go(f)
	return nil
}

// hook passes a fault point.
func (b *Bus) hook(point string) {
	if b.cfg.Hook != nil {
		b.cfg.Hook(point)
	}
}
