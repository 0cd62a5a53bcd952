package azure

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const tokenAnswer = `{"token_type": "Bearer", "expires_in": 3599, "access_token": "` + accessToken + `"}`

// TestEachCredentialSignsIn asks for costs with a token that each credential got in its
// own way.
func TestEachCredentialSignsIn(t *testing.T) {
	for _, name := range []string{"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT", "MSI_ENDPOINT"} {
		t.Setenv(name, "")
	}
	federated := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(federated, []byte("of the service account"), 0o600); err != nil {
		t.Fatal(err)
	}
	pod := map[string]string{"AZURE_FEDERATED_TOKEN_FILE": federated, "AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": clientID}
	for name, c := range map[string]struct {
		config AccountConfig
		env    map[string]string
		signIn http.HandlerFunc // the answer to a request for a token
	}{
		"workload identity, as the webhook says": {AccountConfig{Credential: CredentialWorkloadIdentity}, pod, asPod(t)},
		"workload identity, as written": {
			AccountConfig{Credential: CredentialWorkloadIdentity, Tenant: tenant, ClientID: clientID},
			map[string]string{"AZURE_FEDERATED_TOKEN_FILE": federated, "AZURE_TENANT_ID": clientID, "AZURE_CLIENT_ID": tenant},
			asPod(t),
		},
		"the machine's only identity": {AccountConfig{Credential: CredentialManagedIdentity}, nil, asMachine(t, "")},
		"one of the machine's":        {AccountConfig{Credential: CredentialManagedIdentity, ClientID: clientID}, nil, asMachine(t, clientID)},
		"the environment": {
			AccountConfig{Credential: CredentialEnvironment},
			map[string]string{"AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": clientID, "AZURE_CLIENT_SECRET": firstSecret},
			nil,
		},
		"the command line": {AccountConfig{Credential: CredentialCLI, Tenant: tenant}, map[string]string{"PATH": signedIn(t)}, asNobody(t)},
		"whichever, in a pod": {
			AccountConfig{Credential: CredentialDefault},
			map[string]string{"AZURE_FEDERATED_TOKEN_FILE": federated, "AZURE_TENANT_ID": tenant, "AZURE_CLIENT_ID": clientID, "AZURE_TOKEN_CREDENTIALS": "prod"},
			asPod(t),
		},
	} {
		t.Run(name, func(t *testing.T) {
			for name, value := range c.env {
				t.Setenv(name, value)
			}
			l := newLocal(t, total([]any{1, "USD"}))
			l.signIn = c.signIn
			c.config.Subscription, c.config.Transport = subscription, withIMDS{l}
			a, err := Connect(c.config, "test", time.Now)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := a.MonthToDate(t.Context(), ""); err != nil || got.Total != 1 {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

// asPod takes the token of the pod's service account, for the tenant and the client.
func asPod(t *testing.T) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.PostForm.Get("client_assertion") != "of the service account" || r.PostForm.Get("client_id") != clientID ||
			r.URL.Path != "/"+tenant+"/oauth2/v2.0/token" {
			t.Errorf("%s: %v, %v", r.URL, r.PostForm, err)
		}
		reply(http.StatusOK, tokenAnswer)(w, r)
	}
}

// asMachine is the machine's metadata service.
func asMachine(t *testing.T, client string) http.HandlerFunc {
	t.Helper()
	return func(w http.ResponseWriter, r *http.Request) {
		if q := r.URL.Query(); r.Header.Get("Metadata") != "true" || q.Get("client_id") != client || q.Get("resource") != hostsOf(CloudPublic).audience {
			t.Errorf("%s: %v", r.URL, r.Header)
		}
		reply(http.StatusOK, tokenAnswer)(w, r)
	}
}

func asNobody(t *testing.T) http.HandlerFunc {
	t.Helper()
	return func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s is asked for a token", r.URL) }
}

// signedIn is a search path with a command line that is signed in to the tenant.
func signedIn(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	script := fmt.Sprintf(`#!/bin/sh
test "$*" = "account get-access-token -o json --resource %s --tenant %s" || { echo "not asked so: $*" >&2; exit 1; }
echo '{"accessToken": "%s", "expires_on": %d}'
`, hostsOf(CloudPublic).audience, tenant, accessToken, time.Now().Add(time.Hour).Unix())
	if err := os.WriteFile(filepath.Join(folder, "az"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return folder + string(os.PathListSeparator) + os.Getenv("PATH")
}

// withIMDS brings requests for the machine's metadata service to the server, too. It
// has no host's name and no TLS.
type withIMDS struct{ local *local }

func (m withIMDS) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme == "http" && r.URL.Host == "169.254.169.254" && r.URL.Path == "/metadata/identity/oauth2/token" {
		there := r.Clone(r.Context())
		there.URL.Scheme, there.URL.Host = "https", m.local.hosts.signIn
		return m.local.RoundTrip(there)
	}
	return m.local.RoundTrip(r)
}

// TestACommandLineThatIsNotSignedIn shows what it says.
func TestACommandLineThatIsNotSignedIn(t *testing.T) {
	folder := t.TempDir()
	script := "#!/bin/sh\necho \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(folder, "az"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
	a, err := Connect(AccountConfig{Subscription: subscription, Credential: CredentialCLI, Transport: nowhere{t}}, "test", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.MonthToDate(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "az login") {
		t.Errorf("got %v", err)
	}
}
