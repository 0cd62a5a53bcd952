// Package client is a typed client of Paramedic's API, /api/v1.
//
// # Use
//
// [New] makes a [Client]; its methods are the API's routes. What the server
// refuses comes back as [*Error], with the server's own words. [Client.Events]
// follows the ledger and comes back by itself after a lost connection.
// [Client.Ledger] hands over records as they are stored, for whoever wants to
// check the chain.
//
// # Concurrency
//
// A Client may be used from many goroutines and starts none.
//
// # Testing
//
// The tests talk to the real server on the embedded bus.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/web/api"
)

const (
	// callTimeout bounds a call that is not a stream. The server's own bounds
	// are shorter.
	callTimeout = 75 * time.Second
	// mostAnswer bounds an answer that is read whole, in bytes.
	mostAnswer = 64 << 20
)

// Options say where the server is. Server must be set.
type Options struct {
	// Server is its address, such as https://paramedic.example:8443.
	Server string
	// Token is the bearer token; empty for a server without authentication.
	Token string
	// HTTP sends the requests; nil for a client of its own. It must not have a
	// Timeout, which would end the streams.
	HTTP *http.Client
}

// Client talks to one server.
type Client struct {
	base  *url.URL
	token string
	http  *http.Client
}

// New checks the options. It does not talk to the server.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.Server)
	if err != nil {
		return nil, fmt.Errorf("server %q: %w", o.Server, err)
	}
	if (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" || base.User != nil || base.RawQuery != "" {
		return nil, fmt.Errorf("server %q: want http://HOST:PORT or https://HOST:PORT", base.Redacted())
	}
	if strings.ContainsAny(o.Token, "\r\n \t") {
		return nil, errors.New("the token has white space within it")
	}
	c := &Client{base: base, token: o.Token, http: o.HTTP}
	if c.http == nil {
		c.http = &http.Client{
			// A redirect would take the token to somebody else, or a command
			// nowhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return c, nil
}

// Error is an answer other than success.
type Error struct {
	Status int
	// Title and Detail are the server's, where it sent a problem.
	Title, Detail string
}

// Error implements error.
func (e *Error) Error() string {
	switch {
	case e.Title == "":
		return fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
	case e.Detail == "":
		return e.Title
	}
	return e.Title + ": " + e.Detail
}

// request sends one request; the caller closes the answer's body.
func (c *Client) request(ctx context.Context, method, path string, query url.Values, in any, header http.Header) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(b)
	}
	u := c.base.JoinPath("/api/v1", path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	maps.Copy(req.Header, header)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the server cannot be reached: %w", err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, errors.Join(problem(resp), resp.Body.Close())
	}
	return resp, nil
}

// call sends a request and decodes the answer into out.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.request(ctx, method, path, query, in, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it is read to its end, or not wanted
	b, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	if err == nil {
		err = json.Unmarshal(b, out)
	}
	if err != nil {
		return fmt.Errorf("%s %s: the answer cannot be read: %w", method, path, err)
	}
	return nil
}

func problem(resp *http.Response) error {
	e := &Error{Status: resp.StatusCode}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || media != "application/problem+json" {
		return e
	}
	var p api.Problem
	if json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&p) == nil {
		e.Title, e.Detail = p.Title, p.Detail
	}
	return e
}
