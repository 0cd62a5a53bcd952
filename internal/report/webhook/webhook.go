package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tripgen/paramedic/internal/report"
)

// Name is what routes call webhooks; each is webhook/NAME.
const Name = "webhook"

const (
	headerNotice    = "X-Paramedic-Notice-Id"
	headerSignature = "X-Paramedic-Signature"
	version         = "1"
	// maxAnswer bounds what is read of an answer, in bytes, so that the connection can be used again.
	maxAnswer = 64 << 10
)

// Secret returns a secret's present value. Its error is logged and must not hold the value.
type Secret func() (string, error)

// Options are what a Reporter needs. Name, URL and Now must be set.
type Options struct {
	// Name is the webhook's own name; the Reporter's is webhook/NAME.
	Name string
	// URL is http or https.
	URL string
	// Bearer is sent as a bearer token, and Signature is the key to sign with; nil for none.
	Bearer, Signature Secret
	// Timeout bounds one request, from the connection to the answer's end: 10 s.
	Timeout time.Duration
	// Version of Paramedic, for User-Agent.
	Version string
	Now     func() time.Time
}

// Reporter posts to one URL.
type Reporter struct {
	Options
	client *http.Client
	where  string // the URL as errors may show it
}

// New checks the options. It sends nothing.
func New(o Options) (*Reporter, error) {
	u, err := url.Parse(o.URL)
	switch {
	case o.Name == "" || o.Now == nil:
		return nil, errors.New("webhook: Name and Now must be set")
	case err != nil:
		return nil, fmt.Errorf("webhook %s: the URL does not parse", o.Name) // the parser's error repeats it
	case (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return nil, fmt.Errorf("webhook %s: the URL is not http or https with a host", o.Name)
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	return &Reporter{Options: o, client: client(o.Timeout), where: u.Scheme + "://" + u.Host}, nil
}

func client(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: timeout / 2, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:    timeout / 2,
			MaxConnsPerHost:        2,
			MaxIdleConnsPerHost:    1,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: maxAnswer,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Name is webhook/NAME.
func (r *Reporter) Name() string { return Name + "/" + r.Options.Name }

// Close gives idle connections up.
func (r *Reporter) Close() { r.client.CloseIdleConnections() }

// Report posts one notice. The package comment says which answers are errors of which kind.
func (r *Reporter) Report(ctx context.Context, n report.Notice) error {
	req, err := r.request(ctx, n)
	if err != nil {
		return fmt.Errorf("post to %s: %w", r.where, err)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		if bare, ok := errors.AsType[*url.Error](err); ok {
			err = bare.Err // without the whole URL
		}
		return fmt.Errorf("post to %s: %w", r.where, err)
	}
	// What the body says is not shown: some servers repeat the request there, token and all.
	_, drained := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	closed := resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		return nil // it arrived, whatever becomes of the rest of the answer
	}
	return r.judge(resp, errors.Join(drained, closed))
}

func (r *Reporter) request(ctx context.Context, n report.Notice) (*http.Request, error) {
	body, err := json.Marshal(struct {
		Version string        `json:"version"`
		Notice  report.Notice `json:"notice"`
	}{version, n})
	if err != nil {
		return nil, report.Permanent(fmt.Errorf("encode notice %s: %w", n.ID, err))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the request cannot be made") // the cause repeats the URL, which New has checked
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "paramedic/"+r.Version)
	req.Header.Set(headerNotice, n.ID)
	if r.Bearer != nil {
		token, err := r.Bearer()
		if err != nil {
			return nil, fmt.Errorf("bearer token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if r.Signature != nil {
		key, err := r.Signature()
		if err != nil {
			return nil, fmt.Errorf("signing key: %w", err)
		}
		req.Header.Set(headerSignature, sign(key, r.Now(), body))
	}
	return req, nil
}

// sign makes the signature header.
func sign(key string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(t + ".")) // a hash never fails
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// judge makes an answer that is no success into an error of the right kind.
func (r *Reporter) judge(resp *http.Response, broken error) error {
	err := fmt.Errorf("post to %s: answered %d %s", r.where, resp.StatusCode, http.StatusText(resp.StatusCode))
	if broken != nil {
		err = fmt.Errorf("%w; the answer broke off: %w", err, broken)
	}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
	default:
		if resp.StatusCode < http.StatusInternalServerError {
			return report.Permanent(err)
		}
	}
	if wait := retryAfter(resp.Header.Get("Retry-After"), r.Now()); wait > 0 {
		return report.Delayed(err, wait)
	}
	return err
}

// retryAfter reads the header of RFC 9110, section 10.2.3; 0 if it is absent or makes no sense.
func retryAfter(value string, now time.Time) time.Duration {
	const most = 24 * time.Hour
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, most)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, at.Sub(now)), most)
	}
	return 0
}
