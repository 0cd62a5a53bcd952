package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/lab/binaries"
)

// RedisOptions say what a Redis server is to be.
type RedisOptions struct {
	// Config are more lines of its configuration file. Source: https://redis.io/docs/latest/operate/oss_and_stack/management/config/
	Config []string
	// Address is where it listens, host:port; empty means a free port. A server that was killed can so come back.
	Address string
	// Secure is where it listens for TLS beside that, with certificates that Config names; false means nowhere.
	Secure bool
	// Sentinel makes it a sentinel instead.
	Sentinel bool
	// Folder is where its own folder is made; empty means the system's place for temporary files.
	Folder string
	// Progress gets a line if the program is fetched; nil discards it.
	Progress io.Writer
}

const (
	redisLimit = 30 * time.Second
	redisGrace = 5 * time.Second
)

// RedisServer is a running Redis server, or a sentinel.
type RedisServer struct {
	folder, address, secure string
	process                 *process
}

// StartRedis starts a Redis server and returns once it answers. It keeps nothing on disk. The context bounds the start,
// not the life; [RedisServer.Stop] ends it. One that does not come up is a [*StartError].
func StartRedis(ctx context.Context, options RedisOptions) (*RedisServer, error) {
	store, err := binaries.Open(ctx, options.Progress)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	program, err := store.EnsureRedis(ctx)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	for try := 1; ; try++ {
		r, err := startRedis(ctx, options, program)
		if err == nil {
			return r, nil
		}
		if try == startTries || !errors.Is(err, errPortTaken) {
			return nil, err
		}
	}
}

func startRedis(ctx context.Context, options RedisOptions, program string) (_ *RedisServer, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, redisLimit, fmt.Errorf("not ready within %v", redisLimit))
	defer cancel()
	folder, err := makeFolder(options.Folder, "redis-")
	if err != nil {
		return nil, fmt.Errorf("lab: folder of Redis: %w", err)
	}
	r := &RedisServer{folder: folder, address: options.Address}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Stop())
		}
	}()
	addresses, err := freeAddresses(ctx, 2)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	if r.address == "" {
		r.address = addresses[0]
	}
	host, port, err := splitAddress(r.address)
	if err != nil {
		return nil, err
	}
	lines := []string{"bind " + host, "port " + port, "dir " + folder, "daemonize no", "protected-mode no"}
	if options.Secure {
		r.secure = addresses[1]
		_, port, err := splitAddress(r.secure)
		if err != nil {
			return nil, err
		}
		lines = append(lines, "tls-port "+port)
	}
	args := []string{filepath.Join(folder, "redis.conf")}
	if options.Sentinel {
		args = append(args, "--sentinel")
	} else {
		// A replica is in step at once, not after the five seconds in which others might come.
		lines = append(lines, `save ""`, "appendonly no", "repl-diskless-sync yes", "repl-diskless-sync-delay 0")
	}
	if err := os.WriteFile(args[0], []byte(strings.Join(append(lines, options.Config...), "\n")+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("lab: redis config: %w", err)
	}
	if r.process, err = startProcess(ctx, folder, binaries.RedisServer, program, args...); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return r, r.process.await(ctx, pings(r.address))
}

// pings holds once a Redis server answers PING, be it that it first wants a password.
func pings(address string) func(context.Context) error {
	return func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, probeLimit)
		defer cancel()
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, conn.Close()) }()
		deadline, _ := ctx.Deadline()
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
		if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
			return err
		}
		answer, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			return err
		}
		for _, fine := range []string{"+PONG", "-NOAUTH", "-MASTERDOWN"} {
			if strings.HasPrefix(answer, fine) {
				return nil
			}
		}
		return fmt.Errorf("PING: %q", answer)
	}
}

// Address is where it listens, host:port.
func (r *RedisServer) Address() string { return r.address }

// SecureAddress is where it listens for TLS; empty if it does not.
func (r *RedisServer) SecureAddress() string { return r.secure }

// URL is its address as redis://host:port.
func (r *RedisServer) URL() string { return "redis://" + r.address }

// Log is the end of its output.
func (r *RedisServer) Log() string { return r.process.tail() }

// Kill ends it at once, as kill -9 does. It may be started again at the same address, and has no data then.
func (r *RedisServer) Kill() error { return r.process.stop(0) }

// Freeze stops the process where it is: it accepts connections and does not answer. Thaw lets it go on.
func (r *RedisServer) Freeze() error { return freeze(r.process.cmd.Process) }

// Thaw ends what Freeze began.
func (r *RedisServer) Thaw() error { return thaw(r.process.cmd.Process) }

// Stop ends it and removes its folder. Calling it again does nothing.
func (r *RedisServer) Stop() error {
	if r.process == nil {
		return os.RemoveAll(r.folder)
	}
	var thawed error
	if !r.process.ended() {
		thawed = r.Thaw() // frozen, it would not heed an interrupt
	}
	return errors.Join(thawed, r.process.stop(redisGrace), os.RemoveAll(r.folder))
}
