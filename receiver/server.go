package receiver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"
)

// ServerOptions are for the http.Server that the edge's routes share with the
// application's others.
type ServerOptions struct {
	// Handler and Log must be set.
	Handler http.Handler
	Log     *slog.Logger
	// Certificate returns the server's certificate for each handshake, so that
	// it can be renewed. nil serves plain HTTP.
	Certificate func() (*tls.Certificate, error)
	// ClientCAs returns the authorities of client certificates for each
	// handshake; an error fails the handshake. nil asks for no certificate. A
	// client without one still connects, as other routes need none:
	// [ClientCertificate] judges.
	ClientCAs func() (*x509.CertPool, error)
	// ReadHeaderTimeout: 5 s. IdleTimeout: 2 min. MaxHeaderBytes: 64 KiB.
	ReadHeaderTimeout time.Duration
	IdleTimeout       time.Duration
	MaxHeaderBytes    int
}

// NewServer returns a server with this edge's limits; the caller listens, with
// Serve, or ServeTLS and empty file names if Certificate is set. It has no
// ReadTimeout and WriteTimeout: these would end the live streams of other
// routes. The webhook route sets deadlines by itself.
func NewServer(o ServerOptions) (*http.Server, error) {
	if o.Handler == nil || o.Log == nil {
		return nil, errors.New("server: Handler and Log must be set")
	}
	if o.ClientCAs != nil && o.Certificate == nil {
		return nil, errors.New("server: ClientCAs needs Certificate: client certificates exist only in TLS")
	}
	orDefault(&o.ReadHeaderTimeout, 5*time.Second)
	orDefault(&o.IdleTimeout, 2*time.Minute)
	orDefault(&o.MaxHeaderBytes, 64<<10)
	s := &http.Server{
		Handler:           o.Handler,
		ReadHeaderTimeout: o.ReadHeaderTimeout,
		IdleTimeout:       o.IdleTimeout,
		MaxHeaderBytes:    o.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	if o.Certificate != nil {
		s.TLSConfig = tlsConfig(o)
	}
	return s, nil
}

func tlsConfig(o ServerOptions) *tls.Config {
	base := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return o.Certificate()
		},
	}
	if o.ClientCAs == nil {
		return base
	}
	base.ClientAuth = tls.VerifyClientCertIfGiven
	// A resumed session would not be verified against today's authorities.
	base.SessionTicketsDisabled = true
	base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pool, err := o.ClientCAs()
		if err != nil {
			return nil, fmt.Errorf("client certificate authorities: %w", err)
		}
		if pool == nil {
			// crypto/tls would trust the system's authorities instead.
			return nil, errors.New("client certificate authorities: none are given")
		}
		config := base.Clone()
		config.GetConfigForClient, config.ClientCAs = nil, pool
		return config, nil
	}
	return base
}
