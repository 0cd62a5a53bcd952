package app_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
)

// authority makes certificates into a folder, of which it is one itself: ca.crt.
type authority struct {
	t      *testing.T
	folder string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, folder string) *authority {
	t.Helper()
	a := &authority{t: t, folder: folder}
	a.cert, a.key = a.issue("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue writes NAME.crt and NAME.key.
func (a *authority) issue(name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(a.folder, name+file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return cert, key
}

// client are the certificates of a client, by its http_config.
func (a *authority) client(name string) string {
	a.t.Helper()
	a.issue(name, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return fmt.Sprintf("cert_file: %q, key_file: %q, ", filepath.Join(a.folder, name+".crt"), filepath.Join(a.folder, name+".key"))
}

// caller is one receiver of the Alertmanager, and a source of its own.
type caller struct {
	name string
	// auth is the source's, http what Alertmanager is told to show, tls likewise.
	auth, http, tls string
	// code is what it is answered, and reason what it is counted as, if it is refused.
	code, reason string
}

// callers are the ways in which Alertmanager can authenticate, each with the right credential and with wrong ones.
func callers(i *issuer, clients *authority) []caller {
	oauth := func(client, audience string) string {
		return fmt.Sprintf("oauth2: {client_id: %s, client_secret: %q, token_url: %q, endpoint_params: {audience: %s}}",
			client, clientSecret, i.url+"/token", audience)
	}
	const (
		bearer = "{bearer: {file: token}}"
		basic  = "{basic: {username: alertmanager, password: {file: token}}}"
		mtls   = "{mtls: {names: [alertmanager]}}"
	)
	oidc := fmt.Sprintf("{oidc: {issuer: %q, audience: paramedic, claims: {azp: alertmanager}}}", i.url)
	named := clients.client("alertmanager")
	return []caller{
		{"bearer", bearer, fmt.Sprintf("authorization: {credentials: %q}", token), "", "202", ""},
		{"bearer-wrong", bearer, "authorization: {credentials: guess}", "", "401", "unauthenticated"},
		{"bearer-missing", bearer, "", "", "401", "unauthenticated"},
		{"basic", basic, fmt.Sprintf("basic_auth: {username: alertmanager, password: %q}", token), "", "202", ""},
		{"basic-wrong", basic, "basic_auth: {username: alertmanager, password: guess}", "", "401", "unauthenticated"},
		{"basic-other", basic, fmt.Sprintf("basic_auth: {username: other, password: %q}", token), "", "401", "unauthenticated"},
		{"mtls", mtls, "", named, "202", ""},
		{"mtls-wrong", mtls, "", clients.client("other"), "403", "forbidden"},
		{"mtls-missing", mtls, "", "", "401", "unauthenticated"},
		{"oauth", oidc, oauth("alertmanager", "paramedic"), "", "202", ""},
		{"oauth-audience", oidc, oauth("alertmanager", "other"), "", "401", "token-audience"},
		{"oauth-client", oidc, oauth("other", "paramedic"), "", "403", "token-claim"},
		{"oauth-late", oidc, strings.Replace(oauth("late", "paramedic"), "azp", "late", 1), "", "401", "token-expired"},
		{"oauth-forged", oidc, oauth("forger", "paramedic"), "", "401", "token-invalid"},
		{"oauth-none", oidc, fmt.Sprintf("authorization: {credentials: %q}", token), "", "401", "token-invalid"},
	}
}

// TestARealAlertmanagerAuthenticates lets one alert go out to all of them at once.
func TestARealAlertmanagerAuthenticates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	clients := newAuthority(t, dir)
	clients.issue("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	all := callers(newIssuer(t), clients)
	a := startAt(t, dir, "tls: {cert: server.crt, key: server.key, clientCA: ca.crt}\n", all)
	am := lab.RunAlertmanager(t, alertmanagerOf(a, dir, all))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := am.Post(ctx, lab.Alert{Labels: map[string]string{"alertname": "Known"}}); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for _, c := range all {
		for !strings.Contains(scrape(ctx, t, a, dir), fmt.Sprintf("paramedic_receiver_requests_total{code=%q,source=%q} ", c.code, c.name)) {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("%s is not answered %s:\n%s", c.name, c.code, receiverSeries(scrape(t.Context(), t, a, dir)))
			}
		}
	}
	metrics := scrape(ctx, t, a, dir)
	for _, c := range all {
		if c.reason != "" && !strings.Contains(metrics, fmt.Sprintf("paramedic_receiver_refused_total{reason=%q,source=%q} ", c.reason, c.name)) {
			t.Errorf("%s is not counted as %s:\n%s", c.name, c.reason, receiverSeries(metrics))
		}
	}
	came := func() map[string]bool {
		sources := map[string]bool{}
		a.Responder().View(func(st *engine.State) {
			for _, ep := range st.Episodes {
				sources[ep.Alert.Source] = true
			}
		})
		return sources
	}
	for _, c := range all {
		for c.code == "202" && !came()[c.name] {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("the alert of %s never came to the engine", c.name)
			}
		}
	}
	for _, c := range all {
		if c.code != "202" && came()[c.name] {
			t.Errorf("the alert of %s came to the engine", c.name)
		}
	}
}

// startAt runs the program in a folder that may hold certificates, with a source for each caller.
func startAt(t *testing.T, dir, server string, all []caller) *app.App {
	t.Helper()
	var sources strings.Builder
	for _, c := range all {
		fmt.Fprintf(&sources, "  - {name: %s, type: alertmanager, auth: %s}\n", c.name, c.auth)
	}
	for name, text := range map[string]string{
		"rules.yaml": ruleFile, "token": token,
		"paramedic.yaml": "listen: 127.0.0.1:0\nrules: [rules.yaml]\n" + server + "sources:\n" + sources.String(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, _ := start(t, dir)
	return a
}

// alertmanagerOf is the configuration of an Alertmanager with a receiver for each caller, all of which get every alert.
func alertmanagerOf(a *app.App, dir string, all []caller) string {
	var routes, receivers bytes.Buffer
	for _, c := range all {
		fmt.Fprintf(&routes, "  - {receiver: %s, continue: true}\n", c.name)
		settings := fmt.Sprintf("tls_config: {%sca_file: %q}", c.tls, filepath.Join(dir, "ca.crt"))
		if c.http != "" {
			settings += ", " + c.http
		}
		fmt.Fprintf(&receivers, "- name: %s\n  webhook_configs: [{url: %q, http_config: {%s}}]\n",
			c.name, fmt.Sprintf("https://%s/v1/webhooks/%s", a.Addr(), c.name), settings)
	}
	return fmt.Sprintf("route:\n  receiver: %s\n  group_wait: 1ms\n  routes:\n%sreceivers:\n%s", all[0].name, &routes, &receivers)
}

// scrape reads the program's metrics.
func scrape(ctx context.Context, t *testing.T, a *app.App, dir string) string {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+a.Addr().String()+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func receiverSeries(metrics string) string {
	var lines []string
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "paramedic_receiver_requests_total") || strings.HasPrefix(line, "paramedic_receiver_refused_total") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}
