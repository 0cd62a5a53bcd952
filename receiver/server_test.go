package receiver_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/receiver"
)

// authority is a certificate authority for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true}
	signed := a.issue(t, template)
	key, ok := signed.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("the key is a %T", signed.PrivateKey)
	}
	a.cert, a.key = signed.Leaf, key
	a.pool.AddCert(a.cert)
	return a
}

func (a *authority) issue(t *testing.T, template *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	ours, theirs := newAuthority(t), newAuthority(t)
	serverCert := ours.issue(t, &x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	pool := make(chan *x509.CertPool, 1)
	pool <- ours.pool
	var log syncBuffer
	s := newShelf()
	o := options(s, &log, prometheus.NewRegistry())
	o.Sources[0].Auth = []receiver.Authenticator{receiver.ClientCertificate("alerts", "am.example.test", "spiffe://prod/am")}
	rx, err := receiver.New(o)
	if err != nil {
		t.Fatal(err)
	}
	server, err := receiver.NewServer(receiver.ServerOptions{
		Handler:     rx.Handler(),
		Log:         slog.New(slog.NewTextHandler(&log, nil)),
		Certificate: func() (*tls.Certificate, error) { return &serverCert, nil },
		ClientCAs: func() (*x509.CertPool, error) {
			p := <-pool
			pool <- p
			if p == nil {
				return nil, errors.New("the file is gone")
			}
			return p, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), rx.Close(context.Background())); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	spiffe, err := url.Parse("spiffe://prod/am")
	if err != nil {
		t.Fatal(err)
	}
	post := func(certs ...tls.Certificate) (int, error) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ours.pool, Certificates: certs}}
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+listener.Addr().String()+"/v1/webhooks/am", strings.NewReader(body(1, "")))
		if err != nil {
			return 0, err
		}
		res, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			return 0, err
		}
		return res.StatusCode, res.Body.Close()
	}
	client := func(a *authority, template *x509.Certificate) tls.Certificate {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		return a.issue(t, template)
	}
	for _, c := range []struct {
		name  string
		certs []tls.Certificate
		want  int // 0: the handshake fails
	}{
		{"common name", []tls.Certificate{client(ours, &x509.Certificate{Subject: pkix.Name{CommonName: "alerts"}})}, 202},
		{"DNS name", []tls.Certificate{client(ours, &x509.Certificate{DNSNames: []string{"AM.example.test"}})}, 202},
		{"URI", []tls.Certificate{client(ours, &x509.Certificate{URIs: []*url.URL{spiffe}})}, 202},
		{"another name", []tls.Certificate{client(ours, &x509.Certificate{Subject: pkix.Name{CommonName: "alerts2"}})}, 403},
		{"no name", []tls.Certificate{client(ours, &x509.Certificate{})}, 403},
		{"none", nil, 401},
		{"another authority", []tls.Certificate{client(theirs, &x509.Certificate{Subject: pkix.Name{CommonName: "alerts"}})}, 0},
	} {
		got, err := post(c.certs...)
		if got != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%s: %d %v, want %d", c.name, got, err, c.want)
		}
	}
	<-pool
	pool <- theirs.pool
	if got, err := post(client(theirs, &x509.Certificate{Subject: pkix.Name{CommonName: "alerts"}})); got != 202 {
		t.Errorf("after the authority was changed: %d %v", got, err)
	}
	<-pool
	pool <- nil
	if got, err := post(client(theirs, &x509.Certificate{Subject: pkix.Name{CommonName: "alerts"}})); err == nil {
		t.Errorf("with the authorities unreadable: %d", got)
	}
	if n := len(s.deliveries(t)); n != 4 {
		t.Errorf("%d stored, want 4", n)
	}
}

func TestServerOptions(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	for name, o := range map[string]receiver.ServerOptions{
		"no handler":         {Log: log},
		"no log":             {Handler: http.NotFoundHandler()},
		"client CAs, no TLS": {Handler: http.NotFoundHandler(), Log: log, ClientCAs: func() (*x509.CertPool, error) { return nil, nil }},
	} {
		if _, err := receiver.NewServer(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s, err := receiver.NewServer(receiver.ServerOptions{Handler: http.NotFoundHandler(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if s.ReadHeaderTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 {
		t.Errorf("a limit is missing: %+v", s)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*receiver.Options){
		"must be set": func(o *receiver.Options) { o.IDs = nil },
		"no sources":  func(o *receiver.Options) { o.Sources = nil },
		"there twice": func(o *receiver.Options) { o.Sources = append(o.Sources, o.Sources[0]) },
		"no auth":     func(o *receiver.Options) { o.Sources[0].Auth = nil },
		"no decoder":  func(o *receiver.Options) { o.Sources[0].Decoder = nil },
		"a name is":   func(o *receiver.Options) { o.Sources[0].Name = "a.b" },
		"is nil":      func(o *receiver.Options) { o.Sources[0].Auth = append(o.Sources[0].Auth, nil) },
		"MaxInFlight": func(o *receiver.Options) { o.MaxBody, o.MaxInFlight = 10<<20, 20<<20 },
		"negative":    func(o *receiver.Options) { o.MaxGroup = -1 },
		"the bus":     func(o *receiver.Options) { o.Publisher = &shelf{max: 1000} },
	} {
		o := options(newShelf(), &syncBuffer{}, prometheus.NewRegistry())
		change(&o)
		if _, err := receiver.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	registry := prometheus.NewRegistry()
	first, err := receiver.New(options(newShelf(), &syncBuffer{}, registry))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := receiver.New(options(newShelf(), &syncBuffer{}, registry)); err == nil {
		t.Error("two receivers share their metrics")
	}
	if err := first.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
