package oidc_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tripgen/paramedic/receiver"
)

// What attackers do not know, and what must never be seen in a log.
const (
	bearerToken = "s3cret-bearer-token"
	urlToken    = "s3cret-url-token"
	signingKey  = "s3cret-signing-key"
	newKey      = "s3cret-signing-key-to-be"
)

func known(value string) receiver.Secret { return func() (string, error) { return value, nil } }

func hmacOf(secret, signed string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return hex.EncodeToString(mac.Sum(nil))
}

// startAll has a source for each credential.
func startAll(t testing.TB, r *rig, i *issuer) {
	t.Helper()
	signed := func(name, secret string, change func(*receiver.Signature)) receiver.Authenticator {
		s, ok := receiver.SignaturePreset(name)
		if !ok {
			t.Fatalf("no preset %s", name)
		}
		s.Secret = known(secret)
		if change != nil {
			change(&s)
		}
		a, err := receiver.HMAC(s, r.now)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	stamped := func(s *receiver.Signature) { s.TimestampHeader = "X-Signed-At" }
	r.start(t, map[string][]receiver.Authenticator{
		"azure":     {entra(t, i, &r.clock, &r.log)},
		"bearer":    {receiver.Bearer(known("old")), receiver.Bearer(known(bearerToken))},
		"url":       {receiver.URLToken("token", known(urlToken))},
		"pagerduty": {signed("pagerduty", signingKey, nil)},
		"grafana":   {signed("grafana", signingKey, stamped), signed("grafana", newKey, stamped)},
		"inside":    {receiver.Bearer(known(bearerToken))},
	}, netip.MustParsePrefix("203.0.113.0/24"))
}

func stampedHeaders(key string, at time.Time) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	return http.Header{"X-Signed-At": {stamp}, "X-Grafana-Alerting-Signature": {hmacOf(key, stamp+":"+alerts)}}
}

// attack is one row of the table: what is sent, what is answered, and what it is
// counted and logged as.
type attack struct {
	name, source string
	header       http.Header
	body         string
	status       int
	problem      string
	counted      string
	logged       string
}

func tokenAttacks(t testing.TB, i *issuer) []attack {
	t.Helper()
	ours, theirs := rsaKeys()
	right := entraClaims(i.url)
	of := func(c claims) http.Header { return bearer(sign(t, jose.RS256, ours, keyID, c)) }
	payload, err := json.Marshal(right)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(ours.Public())
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	jwk := public(ours.Public(), keyID)
	served, err := jwk.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	own := newEC(t)
	embedded, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: own}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	withKey, err := embedded.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	selfSigned, err := withKey.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	good := sign(t, jose.RS256, ours, keyID, right)
	parts := strings.Split(good, ".")
	const other = "22222222-2222-3333-4444-555555555555"
	rows := []attack{
		{name: "no token", status: 401, counted: "unauthenticated"},
		{name: "an empty token", header: bearer(""), counted: "unauthenticated"},
		{name: "rubbish", header: bearer("s3cret.rubbish.x"), counted: "token-invalid", logged: "no signed JSON Web Token"},
		{name: "not a bearer token", header: http.Header{"Authorization": {"Basic " + good}}, counted: "unauthenticated"},
		{name: "wrong tenant", header: of(right.with(claims{"iss": i.url + "/" + other + "/v2.0", "tid": other})), counted: "token-issuer", logged: other},
		{name: "wrong tenant behind our issuer", header: of(right.with(claims{"tid": other})), status: 403, counted: "token-claim", logged: "tid"},
		{name: "wrong audience", header: of(right.with(claims{"aud": "api://other"})), counted: "token-audience", logged: "api://other"},
		{name: "no audience", header: of(right.with(claims{"aud": nil})), counted: "token-audience"},
		{name: "wrong caller", header: of(right.with(claims{"azp": other})), status: 403, counted: "token-claim", logged: other},
		{name: "wrong caller of version 1", header: of(right.with(claims{"azp": nil, "appid": other})), status: 403, counted: "token-claim", logged: "appid"},
		{name: "two callers", header: of(right.with(claims{"appid": other})), status: 403, counted: "token-claim", logged: "appid"},
		{name: "no caller", header: of(right.with(claims{"azp": nil})), status: 403, counted: "token-claim", logged: "no claim azp or appid"},
		{name: "missing role", header: of(right.with(claims{"roles": nil})), status: 403, counted: "token-claim", logged: "no claim roles"},
		{name: "another role", header: of(right.with(claims{"roles": []string{"Reader"}})), status: 403, counted: "token-claim", logged: "Reader"},
		{name: "expired", header: of(right.with(claims{"exp": startOfTime.Add(-time.Hour).Unix()})), counted: "token-expired", logged: "1h0m0s ago"},
		{name: "expires never", header: of(right.with(claims{"exp": nil})), counted: "token-expired", logged: "does not say when"},
		{name: "not yet valid", header: of(right.with(claims{"nbf": startOfTime.Add(2 * time.Minute).Unix()})), counted: "token-early", logged: "in 2m0s"},
		{name: "alg none", header: bearer(byHand(`{"alg":"none","kid":"key-1"}`, string(payload), "")), counted: "token-invalid", logged: `\"none\"`},
		{name: "alg None", header: bearer(byHand(`{"alg":"None","kid":"key-1"}`, string(payload), "")), counted: "token-invalid", logged: `\"None\"`},
		{name: "no alg", header: bearer(byHand(`{"kid":"key-1"}`, string(payload), "")), counted: "token-invalid"},
		{name: "the public key as a secret, PEM", header: bearer(sign(t, jose.HS256, block, keyID, right)), counted: "token-invalid", logged: "HS256"},
		{name: "the public key as a secret, JWK", header: bearer(sign(t, jose.HS256, served, keyID, right)), counted: "token-invalid", logged: "HS256"},
		{name: "a key of one's own inside", header: bearer(selfSigned), counted: "token-invalid", logged: "ES256"},
		{name: "another key under our name", header: bearer(sign(t, jose.RS256, theirs, keyID, right)), counted: "token-invalid", logged: "not signed by the key"},
		{name: "another issuer's key", header: bearer(sign(t, jose.RS256, theirs, "key-x", right)), counted: "token-key-unknown", logged: "key-x"},
		{name: "no key named", header: bearer(sign(t, jose.RS256, theirs, "", right)), counted: "token-invalid"},
		{name: "claims changed", header: bearer(parts[0] + "." + byHand("", `{"iss":"`+i.url+"/"+tenant+`/v2.0"}`, "")[1:] + parts[2]), counted: "token-invalid"},
		{name: "signature cut off", header: bearer(good[:len(good)-6]), counted: "token-invalid"},
		{name: "no signature", header: bearer(parts[0] + "." + parts[1] + "."), counted: "token-invalid"},
		{name: "two Authorization headers", header: http.Header{"Authorization": {"Bearer " + good, "Bearer " + good}}, counted: "unauthenticated"},
		{name: "the right token for another source", source: "bearer", header: bearer(good), counted: "unauthenticated"},
	}
	for n := range rows {
		rows[n].body = alerts
		if rows[n].source == "" {
			rows[n].source = "azure"
		}
		rows[n].problem = "unauthenticated"
		if rows[n].status == 403 {
			rows[n].problem = "forbidden"
		}
		rows[n].status = max(rows[n].status, 401)
	}
	return rows
}

func otherAttacks() []attack {
	duplicate := stampedHeaders(signingKey, startOfTime)
	duplicate["X-Grafana-Alerting-Signature"] = append([]string{hmacOf("x", alerts)}, duplicate["X-Grafana-Alerting-Signature"]...)
	stamp := strconv.FormatInt(startOfTime.Unix(), 10)
	forged := bearer(bearerToken)
	forged["X-Forwarded-For"] = []string{"203.0.113.9"}
	pager := func(body string) http.Header {
		return http.Header{"X-Pagerduty-Signature": {"v1=" + hmacOf(signingKey, body)}}
	}
	return []attack{
		{"wrong bearer token", "bearer", bearer("hunter2"), alerts, 401, "unauthenticated", "unauthenticated", ""},
		{"two bearer tokens", "bearer", http.Header{"Authorization": {"Bearer hunter2", "Bearer " + bearerToken}}, alerts, 401, "unauthenticated", "unauthenticated", ""},
		{"no URL token", "url", nil, alerts, 401, "unauthenticated", "unauthenticated", ""},
		{"wrong URL token", "url?token=hunter2", nil, alerts, 401, "unauthenticated", "unauthenticated", ""},
		{"two URL tokens", "url?token=hunter2&token=" + urlToken, nil, alerts, 401, "unauthenticated", "unauthenticated", "more than once"},
		{"the same URL token twice", "url?token=" + urlToken + "&token=" + urlToken, nil, alerts, 401, "unauthenticated", "unauthenticated", "more than once"},
		{"URL token in other letters", "url?Token=" + urlToken, nil, alerts, 401, "unauthenticated", "unauthenticated", ""},
		{"URL token behind a semicolon", "url?a=b;token=" + urlToken, nil, alerts, 401, "unauthenticated", "unauthenticated", "cannot be read"},
		{"URL token and a broken escape", "url?token=" + urlToken + "&x=%zz", nil, alerts, 401, "unauthenticated", "unauthenticated", "cannot be read"},
		{"URL token as a bearer token", "url", bearer(urlToken), alerts, 401, "unauthenticated", "unauthenticated", ""},
		{"bearer token in the URL", "bearer?access_token=" + bearerToken, nil, alerts, 401, "unauthenticated", "unauthenticated", ""},
		{"no signature", "grafana", nil, alerts, 401, "unauthenticated", "unauthenticated", "no X-Grafana-Alerting-Signature"},
		{"no timestamp", "grafana", http.Header{"X-Grafana-Alerting-Signature": {hmacOf(signingKey, alerts)}}, alerts, 401, "unauthenticated", "unauthenticated", "no X-Signed-At"},
		{"wrong signature", "grafana", stampedHeaders("hunter2", startOfTime), alerts, 401, "unauthenticated", "wrong-signature", ""},
		{"another body", "grafana", stampedHeaders(signingKey, startOfTime), alerts + " ", 401, "unauthenticated", "wrong-signature", ""},
		{"duplicate signature headers", "grafana", duplicate, alerts, 401, "unauthenticated", "wrong-signature", "more than once"},
		{"duplicate timestamps", "grafana", http.Header{
			"X-Signed-At": {stamp, "1"}, "X-Grafana-Alerting-Signature": {hmacOf(signingKey, stamp+":"+alerts)},
		}, alerts, 401, "unauthenticated", "wrong-signature", "more than once"},
		{"stale timestamp", "grafana", stampedHeaders(signingKey, startOfTime.Add(-301*time.Second)), alerts, 401, "stale-signature", "stale-signature", "5m1s ago"},
		{"future timestamp", "grafana", stampedHeaders(signingKey, startOfTime.Add(301*time.Second)), alerts, 401, "stale-signature", "stale-signature", "-5m1s ago"},
		{"wrong signature without a timestamp", "pagerduty", pager(alerts + "\n"), alerts, 401, "unauthenticated", "wrong-signature", ""},
		{"a second document behind the first", "pagerduty", pager(alerts + alerts), alerts + alerts, 400, "undecodable", "undecodable", ""},
		{"forged X-Forwarded-For", "inside", forged, alerts, 403, "address-not-allowed", "address-not-allowed", ""},
	}
}

// Each is refused, counted as what it is, and told to the log without a secret;
// and the sender hears no more than it should.
func TestAttacks(t *testing.T) {
	t.Parallel()
	ours, _ := rsaKeys()
	i := newIssuer(t, public(ours.Public(), keyID))
	for _, a := range append(tokenAttacks(t, i), otherAttacks()...) {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			r := &rig{}
			startAll(t, r, i)
			if a.header == nil {
				a.header = http.Header{}
			}
			got := r.post(t, a.source, a.body, a.header)
			if got.status != a.status || !strings.Contains(got.body, "/problems/"+a.problem+`"`) {
				t.Fatalf("%d %s, want %d %s", got.status, got.body, a.status, a.problem)
			}
			if n := r.stored.Load(); n != 0 {
				t.Errorf("%d stored", n)
			}
			if counts := r.refused(t); len(counts) != 1 || counts[a.counted] != 1 {
				t.Errorf("counted %v, want one %s", counts, a.counted)
			}
			log := r.log.String()
			if strings.Count(log, `"webhook refused"`) != 1 || !strings.Contains(log, a.logged) ||
				!strings.Contains(log, `"reason":"`+a.counted+`"`) || !strings.Contains(log, `"remote":"127.0.0.1"`) {
				t.Errorf("logged %s, want %q", log, a.logged)
			}
			checkNothingShows(t, a, log+got.body)
			if a.status == 401 {
				checkChallenge(t, a, got)
			}
		})
	}
}

func checkNothingShows(t *testing.T, a attack, seen string) {
	t.Helper()
	never := []string{"s3cret", "hunter2", "v1="}
	for _, value := range a.header["Authorization"] {
		_, token, _ := strings.Cut(value, " ")
		for part := range strings.SplitSeq(token, ".") {
			if len(part) > 8 {
				never = append(never, part[:8], part[len(part)-8:])
			}
		}
	}
	for _, name := range []string{"X-Grafana-Alerting-Signature", "X-Pagerduty-Signature"} {
		never = append(never, a.header[name]...)
	}
	for _, one := range never {
		if strings.Contains(seen, one) {
			t.Errorf("%q is seen: %s", one, seen)
		}
	}
}

// checkChallenge holds a 401 to RFC 9110 and RFC 6750.
func checkChallenge(t *testing.T, a attack, got answer) {
	t.Helper()
	challenges := got.header.Values("WWW-Authenticate")
	if len(challenges) != 1 {
		t.Fatalf("challenges %q", challenges)
	}
	if want := a.source == "azure" && a.counted != "unauthenticated"; strings.Contains(challenges[0], `error="invalid_token"`) != want {
		t.Errorf("challenge %s", challenges[0])
	}
	if !strings.Contains(got.body, `"detail":"the credentials are missing or wrong"`) && a.problem == "unauthenticated" {
		t.Errorf("the sender hears %s", got.body)
	}
}
