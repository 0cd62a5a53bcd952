package azure

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// nowhere fails the test if anything is sent.
type nowhere struct{ t *testing.T }

func (n nowhere) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("%s %s is sent", r.Method, r.URL)
	return nil, errors.New("nothing may be sent")
}

// identity gives a credential what it looks at.
func identity(c AccountConfig) AccountConfig {
	switch c.Credential {
	case CredentialWorkloadIdentity:
		c.Tenant, c.ClientID = tenant, clientID
	case CredentialManagedIdentity:
		c.ClientID = clientID
	case CredentialCLI, CredentialDefault:
		c.Tenant = tenant
	case CredentialClientSecret:
		c.Tenant, c.ClientID = tenant, clientID
		c.ClientSecret = func() (string, error) { return "", errors.New("it is read before it is needed") }
	}
	return c
}

// TestConnectSendsNothing goes through all credentials that the configuration has, in
// all clouds.
func TestConnectSendsNothing(t *testing.T) {
	// What a pod with workload identity has, and a service principal.
	t.Setenv("AZURE_TENANT_ID", tenant)
	t.Setenv("AZURE_CLIENT_ID", clientID)
	t.Setenv("AZURE_CLIENT_SECRET", firstSecret)
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", filepath.Join(t.TempDir(), "absent"))
	for _, credential := range config.AzureCredentials() {
		for _, cloud := range []string{"", CloudPublic, CloudUSGovernment, CloudChina} {
			c := AccountConfig{Subscription: subscription, Credential: credential, Cloud: cloud, Transport: nowhere{t}}
			a, err := Connect(c, "test", time.Now)
			if credential != CredentialClientSecret && (err != nil || a == nil) {
				t.Errorf("%s in %q: %v", credential, cloud, err)
			}
			if a, err = Connect(identity(c), "test", time.Now); err != nil || a == nil {
				t.Errorf("%s in %q with an identity: %v", credential, cloud, err)
				continue
			}
			noSecret(t, fmt.Sprintf("%v %+v %#v", a, a, a))
		}
	}
}

func TestConnectRefuses(t *testing.T) {
	t.Setenv("AZURE_TENANT_ID", "")
	t.Setenv("AZURE_CLIENT_ID", "")
	if err := os.Unsetenv("AZURE_CLIENT_ID"); err != nil { // put back by Setenv
		t.Fatal(err)
	}
	secret := func() (string, error) { return firstSecret, nil }
	for name, c := range map[string]struct {
		config AccountConfig
		want   string
	}{
		"no credential":         {AccountConfig{}, "there is none of this name: want workload-identity, managed-identity"},
		"another credential":    {AccountConfig{Credential: "certificate"}, "credential certificate: there is none of this name"},
		"another cloud":         {AccountConfig{Credential: CredentialCLI, Cloud: "germany"}, `cloud "germany" is not known`},
		"no subscription":       {AccountConfig{Subscription: " ", Credential: CredentialCLI}, "subscription"},
		"a longer path":         {AccountConfig{Subscription: "x/../" + subscription, Credential: CredentialCLI}, "subscription"},
		"another path":          {AccountConfig{Subscription: subscription + "/..", Credential: CredentialCLI}, "subscription"},
		"nobody in a pod":       {AccountConfig{Credential: CredentialWorkloadIdentity}, "no client ID"},
		"nobody in the process": {AccountConfig{Credential: CredentialEnvironment}, "AZURE_TENANT_ID"},
		"secret without tenant": {AccountConfig{Credential: CredentialClientSecret, ClientID: clientID, ClientSecret: secret}, "needs a tenant"},
		"secret without client": {AccountConfig{Credential: CredentialClientSecret, Tenant: tenant, ClientSecret: secret}, "needs a tenant"},
		"secret without secret": {AccountConfig{Credential: CredentialClientSecret, Tenant: tenant, ClientID: clientID}, "needs a tenant"},
		"machine and tenant":    {AccountConfig{Credential: CredentialManagedIdentity, Tenant: tenant}, "does not look at a tenant"},
		"cli and client":        {AccountConfig{Credential: CredentialCLI, ClientID: clientID}, "does not look at a client id"},
		"process and tenant":    {AccountConfig{Credential: CredentialEnvironment, Tenant: tenant}, "does not look at a tenant"},
		"default and client":    {AccountConfig{Credential: CredentialDefault, ClientID: clientID}, "does not look at a client id"},
		"pod and secret":        {AccountConfig{Credential: CredentialWorkloadIdentity, ClientSecret: secret}, "does not look at a client secret"},
	} {
		if c.config.Subscription == "" {
			c.config.Subscription = subscription
		}
		c.config.Transport = nowhere{t}
		a, err := Connect(c.config, "test", time.Now)
		if a != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// TestEachCloudHasItsOwnHosts signs in and asks in each: the server knows its own
// hosts and token audience only.
func TestEachCloudHasItsOwnHosts(t *testing.T) {
	t.Parallel()
	for _, cloud := range []string{CloudPublic, CloudUSGovernment, CloudChina} {
		l := newLocal(t, total([]any{1, "USD"}))
		l.hosts = hostsOf(cloud)
		c := l.config()
		c.Cloud = cloud
		a, err := Connect(c, "test", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.MonthToDate(t.Context(), ""); err != nil || got.Total != 1 {
			t.Errorf("%s: %+v, %v", cloud, got, err)
		}
	}
}

// TestAPrivateCloudIsAskedAlone signs in and asks in a cloud that Microsoft does not
// run: nobody at Microsoft is asked about it, as the server would refuse.
func TestAPrivateCloudIsAskedAlone(t *testing.T) {
	t.Parallel()
	l := newLocal(t, total([]any{1, "USD"}))
	l.hosts = hosts{"login.stack.example", "management.stack.example", "https://management.stack.example/3f9a"}
	c := l.config()
	c.Private = &PrivateCloud{Endpoint: "https://management.stack.example/", Authority: "https://login.stack.example/", Audience: l.hosts.audience}
	a, err := Connect(c, "test", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.MonthToDate(t.Context(), ""); err != nil || got.Total != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, lacks := range []PrivateCloud{{Authority: "a", Audience: "b"}, {Endpoint: "a", Audience: "b"}, {Endpoint: "a", Authority: "b"}} {
		c.Private = &lacks
		if a, err := Connect(c, "test", time.Now); a != nil || err == nil {
			t.Errorf("%+v: %v", lacks, err)
		}
	}
}

// TestANewSecretCountsAtOnce changes the secret in Entra and in its place.
func TestANewSecretCountsAtOnce(t *testing.T) {
	t.Parallel()
	fine := total([]any{1, "USD"})
	answers := append(slices.Repeat([]http.HandlerFunc{fine}, 3), refusal(http.StatusUnauthorized, "ExpiredAuthenticationToken", "Expired."), fine)
	l := newLocal(t, answers...)
	secret, missing, reads := firstSecret, error(nil), 0
	c := l.config()
	c.ClientSecret = func() (string, error) { reads++; return secret, missing }
	ask := func(what string, fails string, class engine.Class) {
		t.Helper()
		// A new account has no token yet.
		a, err := Connect(c, "test", time.Now)
		if err != nil {
			t.Fatal(err)
		}
		a.retry.RetryDelay = time.Nanosecond
		_, err = a.MonthToDate(t.Context(), "")
		switch {
		case fails == "" && err != nil, fails != "" && (err == nil || !strings.Contains(err.Error(), fails) || remediators.ClassOf(err) != class):
			t.Errorf("%s: %v, want %q", what, err, fails)
		case err != nil:
			noSecret(t, err.Error(), fmt.Sprintf("%+v %#v", err, err))
		}
	}
	ask("the first", "", "")
	l.secret = nextSecret
	ask("the old one", "the identity got no token: HTTP 401 Unauthorized (AADSTS7000215): see https://login.microsoftonline.com/error?code=7000215", engine.ClassTerminal)
	secret = nextSecret
	ask("the next", "", "")
	missing = errors.New("[secret file x]: permission denied")
	ask("none", "client secret: [secret file x]: permission denied", engine.ClassRetryable)
	missing = nil
	ask("the next again", "", "")
	if l.tokens != 3 || reads != 5 {
		t.Errorf("%d tokens were issued for %d looks at the secret", l.tokens, reads)
	}
	ask("a token that Azure does not take", "HTTP 401 Unauthorized (ExpiredAuthenticationToken)", engine.ClassTerminal)
	ask("the next once more", "", "")
}

// TestOneAccountTakesTheNewSecret keeps the account: its credential is made anew with
// the secret, and not without need.
func TestOneAccountTakesTheNewSecret(t *testing.T) {
	t.Parallel()
	secret := firstSecret
	c := secretCredential{tenant: tenant, clientID: clientID, read: func() (string, error) { return secret, nil }}
	first, err := c.credential()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.credential(); err != nil || again != first {
		t.Errorf("%v: it is made again", err)
	}
	secret = nextSecret
	if next, err := c.credential(); err != nil || next == first {
		t.Errorf("%v: the old one is kept", err)
	}
	noSecret(t, fmt.Sprintf("%v %+v %#v", &c, &c, &c))
}

func TestATokenIsAskedForOnce(t *testing.T) {
	t.Parallel()
	l := newLocal(t, slices.Repeat([]http.HandlerFunc{total([]any{1, "USD"})}, 2)...)
	a := l.account()
	for range 2 {
		if _, err := a.MonthToDate(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	if l.tokens != 1 {
		t.Errorf("%d tokens were issued for two questions", l.tokens)
	}
}

// TestNoTokenIsShown has Entra answer with what the SDK repeats in its errors.
func TestNoTokenIsShown(t *testing.T) {
	t.Parallel()
	long := accessToken + strings.Repeat("A", 100)
	for name, c := range map[string]struct {
		signIn http.HandlerFunc
		class  engine.Class
		after  time.Duration
		want   string
	}{
		"half an answer":       {reply(http.StatusOK, `{"token_type": "Bearer", "access_token": "`+accessToken+`"`), engine.ClassRetryable, 0, "json decode error"},
		"a bare token":         {reply(http.StatusOK, long), engine.ClassRetryable, 0, "json decode error"},
		"a refusal":            {reply(http.StatusBadRequest, `{"error": "invalid_grant", "error_description": "AADSTS70021: No match for `+accessToken+`"}`), engine.ClassTerminal, 0, "HTTP 400 Bad Request (AADSTS70021)"},
		"a refusal in no form": {reply(http.StatusForbidden, accessToken), engine.ClassTerminal, 0, "HTTP 403 Forbidden"},
		"throttled":            {reply(http.StatusTooManyRequests, `{}`, "Retry-After", "61"), engine.ClassRetryable, 61 * time.Second, "HTTP 429"},
		"down":                 {reply(http.StatusServiceUnavailable, accessToken, "Retry-After", "120"), engine.ClassRetryable, 2 * time.Minute, "HTTP 503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLocal(t)
			l.signIn = c.signIn
			_, err := l.account().MonthToDate(t.Context(), "")
			if err == nil {
				t.Fatal("it got costs")
			}
			if f := remediators.Failure(err); f.Class != c.class || f.RetryAfter != c.after || !strings.Contains(f.Message, c.want) {
				t.Errorf("%s after %s: %s", f.Class, f.RetryAfter, f.Message)
			}
			noSecret(t, err.Error(), fmt.Sprintf("%+v %#v", err, err))
			for cause := err; cause != nil; cause = errors.Unwrap(cause) {
				noSecret(t, cause.Error())
			}
		})
	}
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	a := Accounts{"default": {}, "other": {}}
	if got, err := a.Account("other"); err != nil || got != a["other"] {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := a.Account("Default"); got != nil || remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "known are: default, other") {
		t.Errorf("got %v, %v", got, err)
	}
}
