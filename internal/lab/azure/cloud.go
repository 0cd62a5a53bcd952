package azure

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// What the cloud knows of its one tenant. The secret and the tokens are of each cloud's own.
const (
	Subscription = "3f9a0c1e-52d7-4b86-9f10-6a7b8c9d0e1f"
	Tenant       = "0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0"
	ClientID     = "11112222-3333-4444-8555-666677778888"
	// Audience is what tokens for its Resource Manager are issued for.
	Audience = "https://management.lab.example/"

	group = "/subscriptions/" + Subscription + "/resourceGroups/tripgen"
)

// operationTakes is how long an operation goes on that was accepted with 202.
const operationTakes = 300 * time.Millisecond

// Cloud is a running one.
type Cloud struct {
	server      *http.Server
	url         string
	certificate []byte
	secret      string
	token       string
	served      chan error

	mu         sync.Mutex
	resources  map[string]resource // by id, in small letters
	operations map[string]*operation
	faults     map[Kind][]Fault
	effects    map[Kind]int
	changes    []Change
	refused    []string
	prompt     bool // the activity log is
}

// Change is one that was asked for, in the order in which they were made or refused.
type Change struct {
	Kind Kind
	// RequestID is what the client called it.
	RequestID string
	// Status is the answer's. Made says that something was changed, whatever was answered.
	Status int
	Made   bool
}

// Start starts a cloud without resources. The context bounds the start, not the life; [Cloud.Stop] ends it.
func Start(ctx context.Context) (*Cloud, error) {
	certificate, encoded, err := makeCertificate(time.Now())
	if err != nil {
		return nil, fmt.Errorf("lab: azure: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("lab: azure: %w", err)
	}
	c := &Cloud{
		url: "https://" + listener.Addr().String(), certificate: encoded, secret: rand.Text(), token: rand.Text(), served: make(chan error, 1),
		resources: map[string]resource{}, operations: map[string]*operation{}, faults: map[Kind][]Fault{}, effects: map[Kind]int{},
	}
	c.server = &http.Server{
		Handler: c, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0), // clients are killed here
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}},
	}
	go func() { c.served <- c.server.ServeTLS(listener, "", "") }()
	return c, nil
}

// Run starts a cloud for the test. It ends with the test, which fails if a request was not one that Azure takes.
func Run(tb testing.TB) *Cloud {
	tb.Helper()
	c, err := Start(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Stop(); err != nil {
			tb.Error(err)
		}
		for _, text := range c.Refused() {
			tb.Errorf("Azure was asked for what it does not take: %s", text)
		}
	})
	return c
}

// Stop ends it; requests that go on are cut off.
func (c *Cloud) Stop() error {
	err := c.server.Close()
	if served := <-c.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	if err != nil {
		return fmt.Errorf("lab: azure: %w", err)
	}
	return nil
}

// URL is where both its sign-in and its Resource Manager are.
func (c *Cloud) URL() string { return c.url }

// Certificate is what its clients are to trust, as PEM.
func (c *Cloud) Certificate() []byte { return c.certificate }

// Secret is the client secret of its one identity, which has every right.
func (c *Cloud) Secret() string { return c.secret }

// Account is an account of Paramedic's configuration, in one line of YAML, whose secret and certificate are in the files.
func (c *Cloud) Account(secret, certificate string) string {
	return fmt.Sprintf("{subscription: %s, credential: client-secret, tenant: %s, clientID: %s, clientSecret: {file: %q}, "+
		"cloud: {endpoint: %q, authority: %[5]q, audience: %q, ca: %q}}", Subscription, Tenant, ClientID, secret, c.url, Audience, certificate)
}

// Effects is how many changes of a kind were made.
func (c *Cloud) Effects(kind Kind) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.effects[kind]
}

// Changes are those that were asked for.
func (c *Cloud) Changes() []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Change(nil), c.changes...)
}

// Refused are the requests that Azure would not take.
func (c *Cloud) Refused() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.refused...)
}
