package oidc_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/oidc"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *oidc.Options) {
		o.Audiences = []string{"paramedic", "api://paramedic"}
		o.Claims = []oidc.Claim{
			{Names: []string{"azp", "client_id"}, Values: []string{"alertmanager", "prometheus"}},
			{Names: []string{"scope"}, Values: []string{"alerts.write"}},
			{Names: []string{"verified"}, Values: []string{"true"}},
			{Names: []string{"level"}, Values: []string{"3"}},
		}
	})
	right := b.claims().with(claims{
		"azp": "alertmanager", "scope": "openid alerts.write", "verified": true, "level": 3, "nbf": b.now().Unix(),
	})
	seconds := func(d time.Duration) int64 { return b.now().Add(d).Unix() }
	for _, c := range []struct {
		name   string
		change claims
		want   string
	}{
		{"right", nil, "passed"},
		{"the other audience", claims{"aud": "api://paramedic"}, "passed"},
		{"one of several audiences", claims{"aud": []string{"x", "paramedic"}}, "passed"},
		{"other audiences", claims{"aud": []string{"x", "paramedic2"}}, "token-audience"},
		{"no audiences", claims{"aud": []string{}}, "token-audience"},
		{"audience in other letters", claims{"aud": "Paramedic"}, "token-audience"},
		{"audience of no kind", claims{"aud": 7}, "token-invalid"},
		{"issuer with a slash", claims{"iss": b.url + "/"}, "token-issuer"},
		{"no issuer", claims{"iss": nil}, "token-issuer"},
		{"issuer of no kind", claims{"iss": []string{b.url}}, "token-invalid"},
		{"expires within the leeway", claims{"exp": seconds(-60 * time.Second)}, "passed"},
		{"expired", claims{"exp": seconds(-61 * time.Second)}, "token-expired"},
		{"expired in 1970", claims{"exp": 0}, "token-expired"},
		{"expiry of no kind", claims{"exp": "tomorrow"}, "token-invalid"},
		{"valid within the leeway", claims{"nbf": seconds(60 * time.Second)}, "passed"},
		{"not yet valid", claims{"nbf": seconds(61 * time.Second)}, "token-early"},
		{"valid since of no kind", claims{"nbf": "yesterday"}, "token-invalid"},
		{"valid since ever", claims{"nbf": nil}, "passed"},
		{"the other caller", claims{"azp": "prometheus"}, "passed"},
		{"caller under the other name", claims{"azp": nil, "client_id": "prometheus"}, "passed"},
		{"caller under both names, differing", claims{"client_id": "grafana"}, "token-claim"},
		{"another caller", claims{"azp": "grafana"}, "token-claim"},
		{"no caller", claims{"azp": nil}, "token-claim"},
		{"caller of no kind", claims{"azp": map[string]string{"alertmanager": "alertmanager"}}, "token-claim"},
		{"caller among others", claims{"azp": []any{1, "alertmanager"}}, "passed"},
		{"scope as a list", claims{"scope": []string{"alerts.write"}}, "passed"},
		{"a longer scope", claims{"scope": "alerts.write.not"}, "token-claim"},
		{"no scope", claims{"scope": ""}, "token-claim"},
		{"words where they are none", claims{"azp": "x alertmanager"}, "token-claim"},
		{"not verified", claims{"verified": false}, "token-claim"},
		{"another level", claims{"level": 3.5}, "token-claim"},
		{"null", claims{"verified": []any{nil}}, "token-claim"},
	} {
		if got := b.judge(sign(t, jose.ES256, b.key, keyID, right.with(c.change))); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for name, payload := range map[string]string{"no object": `[]`, "no JSON": `x`, "empty": ``} {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: b.key, KeyID: keyID}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		token, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		if got := b.judge(token); got != "token-invalid" {
			t.Errorf("%s: %s", name, got)
		}
		if got := b.judge(signed.FullSerialize()); got != "token-invalid" {
			t.Errorf("%s, as JSON: %s", name, got)
		}
	}
}

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	ours, _ := rsaKeys()
	b := newBench(t, func(o *oidc.Options) { o.Algorithms = []string{"PS256", "RS384"} })
	b.has(public(ours.Public(), keyID))
	for alg, want := range map[jose.SignatureAlgorithm]string{
		jose.PS256: "passed", jose.RS384: "passed", jose.RS256: "token-invalid", jose.PS512: "token-invalid",
	} {
		if got := b.judge(sign(t, alg, ours, keyID, b.claims())); got != want {
			t.Errorf("%s: %s, want %s", alg, got, want)
		}
	}
}

func TestEntraTokens(t *testing.T) {
	t.Parallel()
	ours, _ := rsaKeys()
	i := newIssuer(t, public(ours.Public(), keyID))
	var c clock
	v2 := entraClaims(i.url)
	v1 := func(sts string) claims {
		return v2.with(claims{"iss": sts + tenant + "/", "aud": "api://" + client, "azp": nil, "appid": caller, "ver": "1.0"})
	}
	for _, one := range []struct {
		name   string
		change func(*oidc.EntraOptions)
		claims claims
		want   bool
	}{
		{"version 2", nil, v2, true},
		{"version 1", nil, v1("https://sts.windows.net/"), true},
		{"version 1 for the identifier", nil, v1("https://sts.windows.net/").with(claims{"aud": client}), true},
		{"version 2 for the URI", nil, v2.with(claims{"aud": "api://" + client}), true},
		{"configured with the identifier", func(o *oidc.EntraOptions) { o.Audience = client }, v1("https://sts.windows.net/"), true},
		{"a URI of one's own", func(o *oidc.EntraOptions) { o.Audience = "api://paramedic" }, v2.with(claims{"aud": "api://paramedic"}), true},
		{"a part of that", func(o *oidc.EntraOptions) { o.Audience = "api://paramedic" }, v2.with(claims{"aud": "paramedic"}), false},
		{"written in capitals", func(o *oidc.EntraOptions) {
			o.Tenant, o.Caller = strings.ToUpper(tenant), strings.ToUpper(caller)
		}, v2, true},
		{"another role", func(o *oidc.EntraOptions) { o.Role = "Alerts" }, v2, false},
		{"another role, and it is there", func(o *oidc.EntraOptions) { o.Role = "Alerts" }, v2.with(claims{"roles": []string{role, "Alerts"}}), true},
		{"another caller", func(o *oidc.EntraOptions) { o.Caller = client }, v2, false},
		{"another caller, and it calls", func(o *oidc.EntraOptions) { o.Caller = client }, v2.with(claims{"azp": client}), true},
		{"the role as a scope", nil, v2.with(claims{"roles": nil, "scp": role}), false},
		{"version 1 of another tenant", nil, v1("https://sts.windows.net/2"), false},
		{"version 1 of China's", nil, v1("https://sts.chinacloudapi.cn/"), false},
		{"version 2 of the public cloud", nil, v2.with(claims{"iss": "https://login.microsoftonline.com/" + tenant + "/v2.0"}), false},
		{"the public cloud", cloud(t, "public", i), v2.with(claims{"iss": "https://login.microsoftonline.com/" + tenant + "/v2.0"}), true},
		{"the government's", cloud(t, "usgovernment", i), v2.with(claims{"iss": "https://login.microsoftonline.us/" + tenant + "/v2.0"}), true},
		{"the government's, version 1", cloud(t, "usgovernment", i), v1("https://sts.windows.net/"), true},
		{"China's", cloud(t, "china", i), v2.with(claims{"iss": "https://login.partner.microsoftonline.cn/" + tenant + "/v2.0"}), true},
		{"China's, version 1", cloud(t, "china", i), v1("https://sts.chinacloudapi.cn/"), true},
		{"China's, version 1 of the public cloud", cloud(t, "china", i), v1("https://sts.windows.net/"), false},
	} {
		o := oidc.EntraOptions{
			Tenant: tenant, Audience: "api://" + client, Authority: i.url, Client: &http.Client{}, Now: c.now, Log: logger(t.Output()),
		}
		if one.change != nil {
			one.change(&o)
		}
		a, err := oidc.Entra(o)
		if err != nil {
			t.Fatalf("%s: %v", one.name, err)
		}
		err = a.Authenticate(&http.Request{Header: bearer(sign(t, jose.RS256, ours, keyID, one.claims))})
		var d *receiver.Denial
		if (err == nil) != one.want || err != nil && !errors.As(err, &d) {
			t.Errorf("%s: %v", one.name, err)
		}
	}
	if i.described.Load() > 0 {
		t.Error("Entra was asked for what is known")
	}
}

// cloud is one of Microsoft's, but for its keys.
func cloud(t *testing.T, name string, i *issuer) func(*oidc.EntraOptions) {
	t.Helper()
	authority, ok := oidc.Authority(name)
	if !ok {
		t.Fatal(name)
	}
	return func(o *oidc.EntraOptions) { o.Authority, o.KeysURL = authority+"/", i.url+keysPath }
}

func TestOptionsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		change func(*oidc.Options)
		want   string
	}{
		{func(o *oidc.Options) { o.Client = nil }, "Client, Now and Log"},
		{func(o *oidc.Options) { o.Issuers = nil }, "Issuers"},
		{func(o *oidc.Options) { o.Issuers = []string{""} }, "Issuers"},
		{func(o *oidc.Options) { o.Issuers = []string{"http://issuer.example"} }, "https://"},
		{func(o *oidc.Options) { o.Issuers = []string{"issuer.example"} }, "https://"},
		{func(o *oidc.Options) { o.Issuers = append(o.Issuers, "https://two.example") }, "KeysURL"},
		{func(o *oidc.Options) { o.KeysURL = "http://127.0.0.1.example/keys" }, "KeysURL"},
		{func(o *oidc.Options) { o.KeysURL = "https://u:hunter2@keys.example" }, "KeysURL"},
		{func(o *oidc.Options) { o.KeysURL = "https://%zz" }, "KeysURL"},
		{func(o *oidc.Options) { o.Audiences = nil }, "Audiences"},
		{func(o *oidc.Options) { o.Audiences = []string{""} }, "Audiences"},
		{func(o *oidc.Options) { o.Leeway = -1 }, "Leeway"},
		{func(o *oidc.Options) { o.Algorithms = []string{"none"} }, `"none"`},
		{func(o *oidc.Options) { o.Algorithms = []string{"RS256", "HS256"} }, `"HS256"`},
		{func(o *oidc.Options) { o.Claims = []oidc.Claim{{Names: []string{"azp"}}} }, "Claims"},
		{func(o *oidc.Options) { o.Claims = []oidc.Claim{{Values: []string{"x"}}} }, "Claims"},
		{func(o *oidc.Options) { o.Claims = []oidc.Claim{{Names: []string{"azp"}, Values: []string{""}}} }, "Claims"},
	} {
		o := oidc.Options{
			Issuers: []string{"https://issuer.example"}, Audiences: []string{"x"}, Client: &http.Client{}, Now: time.Now, Log: logger(t.Output()),
		}
		c.change(&o)
		if _, err := oidc.New(o); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	for _, c := range []struct {
		change func(*oidc.EntraOptions)
		want   string
	}{
		{func(o *oidc.EntraOptions) { o.Tenant = "contoso.onmicrosoft.com" }, "Tenant"},
		{func(o *oidc.EntraOptions) { o.Tenant = "common" }, "Tenant"},
		{func(o *oidc.EntraOptions) { o.Caller = "AzNS AAD Webhook" }, "Caller"},
		{func(o *oidc.EntraOptions) { o.Audience = "" }, "Audience"},
		{func(o *oidc.EntraOptions) { o.Authority = "login.microsoftonline.com" }, "Authority"},
		{func(o *oidc.EntraOptions) { o.KeysURL = "http://keys.example" }, "KeysURL"},
		{func(o *oidc.EntraOptions) { o.Now = nil }, "Now"},
	} {
		o := oidc.EntraOptions{Tenant: tenant, Audience: client, Client: &http.Client{}, Now: time.Now, Log: logger(t.Output())}
		c.change(&o)
		if _, err := oidc.Entra(o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if _, ok := oidc.Authority("germany"); ok {
		t.Error("a cloud that has been closed")
	}
}

// Whatever is sent as a token, it does not pass, and nothing of it is told.
func FuzzTokens(f *testing.F) {
	b := newBench(f, nil)
	good := b.signed(f, b.key, keyID)
	f.Add("")
	f.Add(good)
	f.Add(good + ".")
	f.Add(strings.ToUpper(good))
	f.Add(byHand(`{"alg":"none"}`, `{"iss":"`+b.url+`"}`, ""))
	f.Add(byHand(`{"alg":"ES256","crit":["exp"],"exp":1}`, `{"iss":"`+b.url+`"}`, "x"))
	f.Add(byHand(`{"alg":"ES256","b64":false,"crit":["b64"]}`, `{"iss":"`+b.url+`"}`, "x"))
	f.Fuzz(func(t *testing.T, token string) {
		err := b.auth.Authenticate(&http.Request{Header: http.Header{"Authorization": {"Bearer " + token}}})
		if err == nil && strings.TrimSpace(token) != good {
			// The last letter of base64 has bits that say nothing.
			given, want := strings.TrimSpace(token), good
			if len(given) != len(want) || given[:len(given)-1] != want[:len(want)-1] {
				t.Fatalf("passed: %q", token)
			}
		}
		if err != nil && !errors.Is(err, receiver.ErrUnauthenticated) {
			t.Fatalf("%q: %v", token, err)
		}
		if _, signature, ok := strings.Cut(token, "."); ok && err != nil && len(signature) > 8 && strings.Contains(err.Error(), signature) {
			t.Fatalf("told: %v", err)
		}
	})
}
