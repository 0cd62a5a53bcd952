package access

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Server is a NATS server inside this process, for trying workers out: it lets in
// those who have keys, as a server of its own that includes the accounts would.
type Server struct{ server *server.Server }

// Serve saves what was changed and starts a server on it, with its streams below
// the folder too. Listen is host:port; port 0 takes any that is free.
func (a *Access) Serve(ctx context.Context, listen string) (*Server, error) {
	if _, err := a.Save(); err != nil {
		return nil, err
	}
	if host, port, err := net.SplitHostPort(listen); err == nil && port == "0" {
		listen = net.JoinHostPort(host, "-1") // which is how NATS says it
	}
	file := filepath.Join(a.dir, "nats.conf")
	text := fmt.Sprintf("listen: %s\njetstream {store_dir: %s}\ninclude %s\n",
		strconv.Quote(listen), strconv.Quote(filepath.Join(a.dir, "streams")), AccountsFile)
	if err := replace(file, []byte(text)); err != nil {
		return nil, err
	}
	o, err := server.ProcessConfigFile(file)
	if err != nil {
		return nil, fmt.Errorf("configure the NATS server: %w", err)
	}
	o.NoSigs, o.NoLog = true, true
	s, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("start the NATS server: %w", err)
	}
	s.Start()
	within := 30 * time.Second
	if d, ok := ctx.Deadline(); ok {
		within = time.Until(d)
	}
	started := &Server{s}
	if !s.ReadyForConnections(within) {
		started.Close()
		return nil, fmt.Errorf("the NATS server does not listen on %s within %s", listen, within.Round(time.Second))
	}
	return started, nil
}

// URL is the server's address.
func (s *Server) URL() string { return s.server.ClientURL() }

// Reload has the server take the accounts as they were saved last.
func (s *Server) Reload() error {
	if err := s.server.Reload(); err != nil {
		return fmt.Errorf("reload the NATS server: %w", err)
	}
	return nil
}

// Close ends the server and waits until it has ended.
func (s *Server) Close() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}
