package azure

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	dialTimeout = 10 * time.Second
	// maxAnswer bounds one answer, in bytes. The SDK reads an answer whole; a page
	// of 5,000 rows has less than a tenth of this.
	maxAnswer = 16 << 20
	maxHeader = 64 << 10
)

// client makes what sends everything, with the given transport or one of its own.
// It follows no redirect: that would turn the POST of a query into a GET. It is a
// plain [http.Client], since the SDK demands one for some managed identities.
func client(given http.RoundTripper) *http.Client {
	if given == nil {
		given = transport(nil)
	}
	return &http.Client{
		Transport:     limit{given},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// transport trusts these authorities; nil means the system's.
func transport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		ForceAttemptHTTP2:      true,
		IdleConnTimeout:        time.Minute, // questions are far apart
		MaxResponseHeaderBytes: maxHeader,
	}
}

// limit is a round tripper whose answers end in an error where they get too long.
type limit struct{ http.RoundTripper }

func (l limit) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = &limitedBody{ReadCloser: resp.Body, left: maxAnswer}
	return resp, nil
}

type limitedBody struct {
	io.ReadCloser
	left int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
	}
	return n, err
}
