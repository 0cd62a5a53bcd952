package access_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/bus/access"
)

// site is a NATS server on what is written into a folder.
type site struct {
	t      *testing.T
	dir    string
	server *access.Server
}

// newSite has the hub and the groups seoul and tokyo.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	s.change(func(a *access.Access) error { return errors.Join(a.Add("seoul"), a.Add("tokyo")) })
	var err error
	if s.server, err = open(t, s.dir).Serve(within(t), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.server.Close)
	return s
}

func (s *site) write(file, text string) {
	s.t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) change(f func(*access.Access) error) {
	s.t.Helper()
	a := open(s.t, s.dir)
	if err := f(a); err != nil {
		s.t.Fatal(err)
	}
	save(s.t, a)
}

func (s *site) reload() {
	s.t.Helper()
	if err := s.server.Reload(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) seed(name string) string { return filepath.Join(s.dir, name+".nk") }

// bus opens the bus as the hub, or joins it as a group.
func (s *site) bus(ctx context.Context, group string) (*bus.Bus, error) {
	c := bus.Config{
		URL: s.server.URL(), Credentials: s.seed(access.Hub), Replicas: 1, MaxStore: 256 << 20,
		Logger: slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if group != "" {
		c.Credentials, c.Join, c.Domain = s.seed(group), group, access.Domain
	}
	return bus.Open(ctx, c)
}

func (s *site) mustBus(ctx context.Context, group string) *bus.Bus {
	s.t.Helper()
	b, err := s.bus(ctx, group)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := b.Close(context.WithoutCancel(ctx)); err != nil {
			s.t.Error(err)
		}
	})
	return b
}

// hub opens the bus as the hub and makes what both groups need.
func (s *site) hub(ctx context.Context) *bus.Bus {
	s.t.Helper()
	b := s.mustBus(ctx, "")
	for _, group := range []string{"seoul", "tokyo"} {
		if err := errors.Join(
			b.EnsureClaims(ctx, group), b.EnsureWork(ctx, group, time.Minute), b.EnsureWork(ctx, group+"-verify", time.Minute),
		); err != nil {
			s.t.Fatal(err)
		}
	}
	return b
}

// connect is a plain connection with somebody's seed. Errors that the server
// reports go to denied.
func (s *site) connect(seed string) (nc *nats.Conn, denied chan error) {
	s.t.Helper()
	key, err := nats.NkeyOptionFromSeed(seed)
	if err != nil {
		s.t.Fatal(err)
	}
	denied = make(chan error, 1024)
	nc, err = nats.Connect(s.server.URL(), key, nats.MaxReconnects(0), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		denied <- err
	}))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	return nc, denied
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
