package http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	// maxAnswer bounds what is read of an answer's body, and maxHeader its
	// header.
	maxAnswer = 64 << 10
	maxHeader = 64 << 10
)

// Client sends each request once.
type Client struct {
	http      *http.Client
	userAgent string
	roots     *x509.CertPool
	egress    Egress
}

// NewClient makes a client that shows itself as paramedic/VERSION. Roots are the
// authorities that servers' certificates are checked against; nil means the
// system's. Proxies are taken from the environment, as usual. Requests go anywhere
// that the zero [Egress] allows.
func NewClient(version string, roots *x509.CertPool) *Client {
	return (&Client{userAgent: "paramedic/" + version, roots: roots}).Within(Egress{})
}

// Within is a client like c whose requests go where egress allows. Of what goes through
// a proxy, only the name in the URL can be looked at.
func (c *Client) Within(egress Egress) *Client {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &Client{
		userAgent: c.userAgent,
		roots:     c.roots,
		egress:    egress,
		http: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				DialContext:            egress.dial,
				TLSHandshakeTimeout:    dialTimeout,
				TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.roots},
				DisableKeepAlives:      true,
				Protocols:              &protocols,
				MaxResponseHeaderBytes: maxHeader,
			},
		},
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
	// certificates is the server's chain as it was verified; nil without TLS.
	certificates []*x509.Certificate
	// cut says why the body is not whole; nil if it is.
	cut error
}

// sendError is a request without an answer. Its text has no secret.
type sendError struct {
	// sent says that a connection was there, so that the server may have got
	// the request.
	sent bool
	err  error
}

func (e *sendError) Error() string { return e.err.Error() }
func (e *sendError) Unwrap() error { return e.err }

// untrusted says that the server's certificate is not accepted.
func (e *sendError) untrusted() bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](e.err)
	return ok
}

// denied says that the request may not go where it should.
func (e *sendError) denied() bool {
	_, ok := errors.AsType[*deniedError](e.err)
	return ok
}

// send sends req once. The error is a *sendError.
func (c *Client) send(ctx context.Context, req *http.Request) (answer, error) {
	ctx, err := c.egress.proxy(ctx, req)
	if err != nil {
		return answer{}, &sendError{err: err}
	}
	var connected atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}))
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", c.userAgent)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, &sendError{sent: connected.Load(), err: withoutURL(err)}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		body, err = body[:maxAnswer], fmt.Errorf("longer than %d bytes", maxAnswer)
	}
	// The connection is not used again, so nothing is lost with a failed close.
	_ = resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header, body: body, cut: err}
	if resp.TLS != nil && len(resp.TLS.VerifiedChains) > 0 {
		a.certificates = resp.TLS.VerifiedChains[0]
	}
	return a, nil
}

// withoutURL takes off net/http's own wrapping, which repeats the URL, query
// included.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
