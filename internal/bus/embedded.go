package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	maxPayload  = 8 << 20
	minMaxStore = 64 << 20
	// capMaxStore keeps the chosen default from claiming the whole of a very
	// large disk; who wants more says so.
	capMaxStore = 128 << 30
)

// serverMaxStore is out of reach: MaxStore is kept by the streams' own limits,
// which are shares of it. The server counts reservations instead of what is
// stored, so with MaxStore here it would refuse to start, with all its data,
// once the disk has become smaller.
const serverMaxStore = 1 << 62

// startServer runs a JetStream server inside the process: reached over a pipe,
// no listener, no signal handlers, every write synced before it is acked.
func (b *Bus) startServer(ctx context.Context) error {
	if b.cfg.Dir == "" {
		return errors.New("neither URL nor Dir is set: name the cluster, or a directory for the embedded bus")
	}
	if b.cfg.Replicas > 1 {
		return fmt.Errorf("config: Replicas is %d: the embedded bus has one server, so 1 is the only possibility", b.cfg.Replicas)
	}
	if err := os.MkdirAll(b.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("store directory: %w", err)
	}
	var err error
	if b.lock, err = lockDir(filepath.Join(b.cfg.Dir, "lock")); err != nil {
		return err
	}
	if err := b.chooseStore(); err != nil {
		return err
	}
	logger := &serverLog{log: b.log}
	b.srv, err = server.NewServer(&server.Options{
		ServerName: "paramedic-embedded", DontListen: true, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: b.cfg.Dir, SyncAlways: true,
		JetStreamMaxStore: serverMaxStore, JetStreamMaxMemory: 64 << 20,
		MaxPayload: maxPayload, MaxPending: 16 * maxPayload,
	})
	if err != nil {
		return fmt.Errorf("embedded server: %w", err)
	}
	b.srv.SetLoggerV2(logger, false, false, false)
	b.srv.Start()
	within := 30 * time.Second
	if d, ok := ctx.Deadline(); ok {
		within = time.Until(d)
	}
	if !b.srv.ReadyForConnections(within) || !b.srv.JetStreamEnabled() {
		return fmt.Errorf("embedded server did not start in %s: %w", within.Round(time.Millisecond), logger.failure())
	}
	b.log.Info("embedded bus started", "dir", b.cfg.Dir, "max_store_bytes", b.cfg.MaxStore)
	return nil
}

// chooseStore settles MaxStore below the size of the disk. A full disk freezes
// a stream until restart and looks like a timeout; the limit fails cleanly.
func (b *Bus) chooseStore() error {
	free, err := diskFree(b.cfg.Dir)
	if err != nil {
		return fmt.Errorf("size of the disk: %w", err)
	}
	used, err := dirSize(b.cfg.Dir)
	if err != nil {
		return fmt.Errorf("size of the store: %w", err)
	}
	if b.cfg.MaxStore == 0 {
		b.cfg.MaxStore = min((free+used)/5*4, capMaxStore)
		if whole := int64(1 << 30); b.cfg.MaxStore > whole {
			b.cfg.MaxStore -= b.cfg.MaxStore % whole // steady from start to start
		}
	} else if b.cfg.MaxStore >= free+used {
		return fmt.Errorf("config: MaxStore is %d bytes and the disk of %s has %d for it: lower MaxStore or free space",
			b.cfg.MaxStore, b.cfg.Dir, free+used)
	}
	if b.cfg.MaxStore < minMaxStore {
		return fmt.Errorf("config: MaxStore is %d bytes: at least %d are needed; raise it or free space in %s",
			b.cfg.MaxStore, minMaxStore, b.cfg.Dir)
	}
	return nil
}

func (b *Bus) stopServer(ctx context.Context) error {
	var errs []error
	if b.srv != nil {
		b.srv.Shutdown()
		if err := waitFor(ctx, b.srv.WaitForShutdown); err != nil {
			errs = append(errs, fmt.Errorf("embedded server did not stop: %w", err))
		}
	}
	if b.lock != nil {
		if err := b.lock.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			errs = append(errs, fmt.Errorf("release the store directory: %w", err))
		}
	}
	return errors.Join(errs...)
}

// dirSize sums the files below dir. Files that vanish meanwhile count nothing.
func dirSize(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreMissing(err)
		}
		info, err := d.Info()
		if err != nil {
			return ignoreMissing(err)
		}
		sum += info.Size()
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("walk %s: %w", dir, err)
	}
	return sum, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// serverLog passes the server's warnings and errors on, and remembers why it
// could not start.
type serverLog struct {
	log *slog.Logger
	mu  sync.Mutex
	why string
}

func (l *serverLog) say(level slog.Level, format string, v []any) {
	l.log.Log(context.Background(), level, "bus server says", "message", fmt.Sprintf(format, v...))
}

func (l *serverLog) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == "" {
		return context.DeadlineExceeded
	}
	return errors.New(l.why)
}

func (l *serverLog) Noticef(string, ...any)    {}
func (l *serverLog) Debugf(string, ...any)     {}
func (l *serverLog) Tracef(string, ...any)     {}
func (l *serverLog) Warnf(f string, v ...any)  { l.say(slog.LevelWarn, f, v) }
func (l *serverLog) Errorf(f string, v ...any) { l.say(slog.LevelError, f, v) }
func (l *serverLog) Fatalf(f string, v ...any) {
	l.mu.Lock()
	l.why = fmt.Sprintf(f, v...)
	l.mu.Unlock()
	l.say(slog.LevelError, f, v)
}
