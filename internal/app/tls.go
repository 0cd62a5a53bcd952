package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/tripgen/paramedic/internal/config"
)

// tlsFiles reads the server's certificate and its clients' authorities at each
// handshake, so that renewed files count at once.
func tlsFiles(c *config.Config) (certificate func() (*tls.Certificate, error), clientCAs func() (*x509.CertPool, error)) {
	if c.TLS == nil {
		return nil, nil
	}
	files := *c.TLS
	certificate = func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		return &pair, nil
	}
	if files.ClientCA == "" {
		return certificate, nil
	}
	return certificate, func() (*x509.CertPool, error) {
		pem, err := os.ReadFile(files.ClientCA)
		if err != nil {
			return nil, fmt.Errorf("tls: clientCA: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls: clientCA %s: no certificate in it", files.ClientCA)
		}
		return pool, nil
	}
}
