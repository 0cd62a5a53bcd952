package receiver_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/receiver"
)

func TestCredentials(t *testing.T) {
	t.Parallel()
	broken := func() (string, error) { return "", errors.New("the file is gone") }
	several := []receiver.Authenticator{
		receiver.Bearer(secret("old")), receiver.Bearer(secret("new")), receiver.Basic("ops", secret("p:w")),
	}
	for _, c := range []struct {
		name   string
		auth   []receiver.Authenticator
		header string
		want   int
	}{
		{"bearer", several, "Bearer old", 202},
		{"the other bearer in rotation", several, "Bearer new", 202},
		{"scheme in lower case", several, "bearer new", 202},
		{"basic with a colon in the password", several, "Basic b3BzOnA6dw==", 202},
		{"none", several, "", 401},
		{"wrong bearer", several, "Bearer newer", 401},
		{"empty bearer", several, "Bearer ", 401},
		{"no scheme", several, "new", 401},
		{"bearer's secret as another scheme", several, "Digest new", 401},
		{"wrong password", several, "Basic b3BzOnB3", 401},
		{"wrong user", several, "Basic cm9vdDpwOnc=", 401},
		{"not base64", several, "Basic !!", 401},
		{"the password as a token", several, "Bearer p:w", 401},
		{"secret cannot be read", []receiver.Authenticator{receiver.Bearer(broken)}, "Bearer new", 503},
		{"secret cannot be read, nothing sent", []receiver.Authenticator{receiver.Bearer(broken)}, "", 503},
		{"password cannot be read", []receiver.Authenticator{receiver.Basic("ops", broken)}, "Basic b3BzOg==", 503},
		{"empty secret, empty token", []receiver.Authenticator{receiver.Bearer(secret(""))}, "Bearer ", 503},
		{"empty password", []receiver.Authenticator{receiver.Basic("ops", secret(""))}, "Basic b3BzOg==", 503},
		{"one secret is gone, the other passes", []receiver.Authenticator{receiver.Bearer(broken), receiver.Bearer(secret("new"))}, "Bearer new", 202},
		{"certificate without TLS", []receiver.Authenticator{receiver.ClientCertificate("am")}, "", 401},
		{"anonymous", []receiver.Authenticator{receiver.Anonymous()}, "", 202},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			r := start(t, s, func(o *receiver.Options) { o.Sources[0].Auth = c.auth })
			got := r.post(t, "am", body(1, ""), "Authorization", c.header)
			if got.status != c.want {
				t.Fatalf("%d %s, want %d", got.status, got.body, c.want)
			}
			if n := len(s.deliveries(t)); (n == 1) != (c.want == 202) || len(s.quarantine) != 0 {
				t.Errorf("%d stored, %d in quarantine", n, len(s.quarantine))
			}
			challenge := strings.Join(got.header.Values("WWW-Authenticate"), "; ")
			if (challenge != "") != (c.want == 401) {
				t.Errorf("challenge %q", challenge)
			}
			if c.want == 503 && !strings.Contains(r.log.String(), "secret") && !strings.Contains(r.log.String(), "the file is gone") {
				t.Errorf("the log does not say why: %s", r.log)
			}
			if strings.Contains(got.body, "the file is gone") {
				t.Error("the sender is told about our files")
			}
		})
	}
}

func TestChallengesNameEachSchemeOnce(t *testing.T) {
	t.Parallel()
	r := start(t, newShelf(), func(o *receiver.Options) {
		o.Sources[0].Auth = []receiver.Authenticator{
			receiver.Bearer(secret("a")), receiver.Bearer(secret("b")), receiver.Basic("u", secret("p")),
		}
	})
	got := r.post(t, "am", "", "Authorization", "").header.Values("WWW-Authenticate")
	if len(got) != 2 || !strings.HasPrefix(got[0], "Bearer ") || !strings.HasPrefix(got[1], "Basic ") {
		t.Errorf("challenges %q", got)
	}
}

func TestTwoAuthorizationHeadersAreNone(t *testing.T) {
	t.Parallel()
	req := &http.Request{Header: http.Header{"Authorization": {"Bearer a", "Bearer b"}}}
	if err := receiver.Bearer(secret("a")).Authenticate(req); !errors.Is(err, receiver.ErrUnauthenticated) {
		t.Errorf("got %v", err)
	}
}
