package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificates are the files that the API server needs for TLS and for service account tokens.
type certificates struct {
	ca, serving, servingKey, serviceAccountKey string
	caPEM                                      []byte
}

const certificateLife = 365 * 24 * time.Hour

// makeCertificates writes a new authority, a certificate of it for the loopback address, and a signing key.
func makeCertificates(folder string, now time.Time) (certificates, error) {
	c := certificates{
		ca:                filepath.Join(folder, "ca.crt"),
		serving:           filepath.Join(folder, "apiserver.crt"),
		servingKey:        filepath.Join(folder, "apiserver.key"),
		serviceAccountKey: filepath.Join(folder, "service-account.key"),
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, fmt.Errorf("authority key: %w", err)
	}
	authority := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "paramedic lab"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(certificateLife),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	if c.caPEM, err = writeCertificate(c.ca, authority, authority, &caKey.PublicKey, caKey); err != nil {
		return c, err
	}
	servingKey, err := writeKey(c.servingKey)
	if err != nil {
		return c, err
	}
	serving := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "kube-apiserver"},
		NotBefore:    authority.NotBefore,
		NotAfter:     authority.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.ParseIP(loopback)},
	}
	if _, err = writeCertificate(c.serving, serving, authority, &servingKey.PublicKey, caKey); err != nil {
		return c, err
	}
	_, err = writeKey(c.serviceAccountKey)
	return c, err
}

func writeKey(name string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	// SEC 1 rather than PKCS #8, because the API server's own key writer uses it for this kind of key.
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", name, err)
	}
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	return key, nil
}

func writeCertificate(name string, template, parent *x509.Certificate, subject *ecdsa.PublicKey, signer *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, subject, signer)
	if err != nil {
		return nil, fmt.Errorf("certificate %s: %w", name, err)
	}
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(name, encoded, 0o600); err != nil {
		return nil, fmt.Errorf("write certificate: %w", err)
	}
	return encoded, nil
}
