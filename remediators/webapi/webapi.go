// Package webapi makes the HTTP clients for the monitoring systems that are
// configured by a URL and who asks, such as a Prometheus or an Alertmanager.
//
// A client proves who asks with every request, reads no more of an answer than
// 4 MB, and follows no redirect, which could take a secret elsewhere. No secret is
// repeated in an error.
//
// Everything here is safe for concurrent use. The tests are those of the packages
// that ask, against real servers and local ones.
package webapi

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Secret returns a secret's present value. It is called for every request, and its
// error must not hold the value.
type Secret func() (string, error)

// Config says how to reach one server.
type Config struct {
	// URL is its address: http or https, with the path that comes before /api if
	// there is one, and without credentials.
	URL string
	// Bearer proves who asks, or else Username and Password do. All may be empty.
	Bearer   Secret
	Username string
	Password Secret
	// Roots are the authorities that its certificate is checked against; nil means the
	// system's.
	Roots *x509.CertPool
	// Version is this program's, for the User-Agent.
	Version string
}

const (
	dialTimeout = 5 * time.Second
	// mostAnswer bounds one answer, in bytes: some ten thousand series or alerts.
	mostAnswer = 4 << 20
)

// ErrTooLong is what reading an answer of more than 4 MB ends with.
var ErrTooLong = errors.New("the answer is longer than 4 MB")

// NewClient checks the configuration and gives its URL, parsed, and a client that
// asks as it says. It sends nothing, so a server that is down is no error here.
func NewClient(c Config) (*url.URL, *http.Client, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return nil, nil, errors.New("the URL is not one: want http://HOST:PORT or https://HOST:PORT")
	case u.User != nil:
		return nil, nil, fmt.Errorf("%s: the URL holds credentials; give them as username and password", u.Host)
	case u.RawQuery != "" || u.Fragment != "":
		return nil, nil, fmt.Errorf("%s: the URL has a query or a fragment; want only what comes before /api", u.Host)
	case c.Bearer != nil && (c.Username != "" || c.Password != nil):
		return nil, nil, fmt.Errorf("%s: both a bearer token and a username or password; give one or the other", u.Host)
	case (c.Username == "") != (c.Password == nil):
		return nil, nil, fmt.Errorf("%s: username and password must both be given", u.Host)
	}
	return u, &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &transport{config: c, next: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSHandshakeTimeout: dialTimeout,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots},
			ForceAttemptHTTP2:   true,
			IdleConnTimeout:     time.Minute,
		}},
	}, nil
}

// transport proves who asks, and bounds answers.
type transport struct {
	config Config
	next   http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", "paramedic/"+t.config.Version)
	switch {
	case t.config.Bearer != nil:
		token, err := t.config.Bearer()
		if err != nil {
			return nil, fmt.Errorf("bearer token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	case t.config.Password != nil:
		password, err := t.config.Password()
		if err != nil {
			return nil, fmt.Errorf("password: %w", err)
		}
		req.SetBasicAuth(t.config.Username, password)
	}
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &bounded{ReadCloser: resp.Body, left: mostAnswer}
	return resp, nil
}

// bounded is a body that is an error if it is too long.
type bounded struct {
	io.ReadCloser

	left int
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return n, ErrTooLong
	}
	return n, err
}
