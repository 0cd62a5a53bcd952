package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Config says how to reach a Redis. Exactly one of Address, Sentinel and Cluster is
// set.
type Config struct {
	// Address is one server's, host:port.
	Address string
	// Sentinel are those who know which server is the primary.
	Sentinel *Sentinel
	// Cluster are the addresses of some nodes of a Redis Cluster.
	Cluster []string
	// Username and Password are for AUTH; Password is nil without any. It is called for
	// each connection, so a new password counts at once. Its error shows none.
	Username string
	Password func() (string, error)
	// DB is the database; 0 in a cluster.
	DB int
	// TLS is nil for connections in clear.
	TLS *TLS
}

// Sentinel says whom to ask for the primary.
type Sentinel struct {
	// Master is the name that the sentinels call it, and Addresses are theirs.
	Master    string
	Addresses []string
	// Username and Password are for the sentinels themselves; they use TLS if the
	// servers do.
	Username string
	Password func() (string, error)
}

// TLS are paths of PEM files, which are read for each connection.
type TLS struct {
	// CA are the authorities that servers' certificates are checked against; empty
	// means the system's.
	CA string
	// Cert and Key are the client's own; empty for none.
	Cert, Key string
	// ServerName is what the certificate must name; empty means the host.
	ServerName string
}

// Instance is a Redis that is configured.
type Instance struct{ config Config }

// NewInstance checks a configuration. It connects to nothing. It keeps the client
// library from writing to standard error, for the whole process: what the library
// has to say is in the errors.
func NewInstance(c Config) (*Instance, error) {
	logging.Disable()
	ways := 0
	for _, given := range []bool{c.Address != "", c.Sentinel != nil, len(c.Cluster) > 0} {
		if given {
			ways++
		}
	}
	addresses := slices.Concat([]string{}, c.Cluster)
	if c.Address != "" {
		addresses = append(addresses, c.Address)
	}
	if c.Sentinel != nil {
		if c.Sentinel.Master == "" || len(c.Sentinel.Addresses) == 0 {
			return nil, errors.New("redis: sentinel: the primary's name and the sentinels' addresses must be given")
		}
		addresses = append(addresses, c.Sentinel.Addresses...)
	}
	switch {
	case ways != 1:
		return nil, fmt.Errorf("redis: exactly one of address, sentinel and cluster must be given, not %d", ways)
	case c.DB < 0 || len(c.Cluster) > 0 && c.DB != 0:
		return nil, fmt.Errorf("redis: database %d: want 0 or more, and 0 in a cluster", c.DB)
	case c.TLS != nil && (c.TLS.Cert == "") != (c.TLS.Key == ""):
		return nil, errors.New("redis: tls: cert and key go together")
	}
	for _, address := range addresses {
		if host, _, err := net.SplitHostPort(address); err != nil || host == "" {
			return nil, fmt.Errorf("redis: address %q is no host:port", address)
		}
	}
	return &Instance{c}, nil
}

// Instances are those that are configured, by name. It is not changed once in use.
type Instances map[string]*Instance

// find is the instance that a target names. The error is terminal.
func (i Instances) find(t engine.Target) (*Instance, error) {
	if t.System != engine.SystemRedis {
		return nil, remediators.Terminal("target %q: system is %q, want %q", t, t.System, engine.SystemRedis)
	}
	return i.named(t.Name)
}

func (i Instances) named(name string) (*Instance, error) {
	if found, ok := i[name]; ok {
		return found, nil
	}
	return nil, remediators.Terminal("redis %q is not configured; known are: %s", name, strings.Join(slices.Sorted(maps.Keys(i)), ", "))
}

// dialTimeout bounds a connection, and commandTimeout one command: a server that
// does not answer for so long is not well.
const (
	dialTimeout    = 5 * time.Second
	commandTimeout = 10 * time.Second
)

// server is a connection to one server. It is closed by whoever opened it.
type server struct {
	*redis.Client
	address string
}

// open makes a connection to a server of the instance once it is needed.
func (i *Instance) open(address string) (server, error) {
	return i.connect(address, i.config.Username, i.config.Password, i.config.DB)
}

func (i *Instance) connect(address, username string, password func() (string, error), db int) (server, error) {
	o := &redis.Options{
		Addr: address, Username: username, DB: db,
		// What is sent is sent once: by itself the client would try three times more.
		MaxRetries: -1, DialerRetries: 1, PoolSize: 1,
		DialTimeout: dialTimeout, ReadTimeout: commandTimeout, WriteTimeout: commandTimeout, ContextTimeoutEnabled: true,
		Protocol: 2, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if password != nil {
		secret, err := password()
		if err != nil {
			return server{}, remediators.Retryable(0, "redis %s: password: %w", address, err)
		}
		o.Password = secret
	}
	if i.config.TLS != nil {
		secure, err := i.config.TLS.load(address)
		if err != nil {
			return server{}, remediators.Retryable(0, "redis %s: tls: %w", address, err)
		}
		o.TLSConfig = secure
	}
	return server{redis.NewClient(o), address}, nil
}

func (t *TLS) load(address string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if c.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		c.ServerName = host
	}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM", t.CA)
		}
	}
	if t.Cert != "" {
		own, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{own}
	}
	return c, nil
}

// closed is for a connection whose work is done: a failed close loses nothing.
func closed(c io.Closer) { _ = c.Close() }

// primaries opens connections to all servers that take the instance's writes. The
// error is classified, and of a call that has changed nothing.
func (i *Instance) primaries(ctx context.Context) ([]server, error) {
	addresses, err := i.addresses(ctx)
	if err != nil {
		return nil, err
	}
	var all []server
	for _, address := range addresses {
		s, err := i.open(address)
		if err == nil {
			all = append(all, s)
			err = i.takesWrites(ctx, s)
		}
		if err != nil {
			closeAll(all)
			return nil, err
		}
	}
	return all, nil
}

func closeAll(all []server) {
	for _, s := range all {
		closed(s)
	}
}

// takesWrites holds that a server is a primary: a replica's keys are not its own.
func (i *Instance) takesWrites(ctx context.Context, s server) error {
	state, err := s.state(ctx)
	switch {
	case err != nil:
		return err
	case state.primary():
		return nil
	case i.config.Address != "":
		return remediators.Terminal("redis %s is a replica of %s, which has its keys from there: name the primary", s.address, state.master())
	}
	return remediators.Retryable(0, "redis %s is a replica of %s by now", s.address, state.master())
}
