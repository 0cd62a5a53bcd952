package config

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// golden compares with a file in testdata, or writes it if UPDATE_GOLDEN is set.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

func examples(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(files), err)
	}
	return files
}

func TestGoodFilesDecodeToTheirGolden(t *testing.T) {
	for _, file := range examples(t, "*.good.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := Load(file, ProcessEnv())
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(c, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".json", string(got)+"\n")
		})
	}
}

func TestBadFilesAreRefusedAtEveryPlace(t *testing.T) {
	for _, file := range examples(t, "*.bad.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := Load(file, ProcessEnv())
			var problems Problems
			if c != nil || !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("got %v, %v", c, err)
			}
			if strings.Contains(err.Error(), "do-not-show-me") || strings.Contains(err.Error(), "do not show me") {
				t.Errorf("the secret is shown: %v", err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", err.Error()+"\n")
		})
	}
}

func TestAFileThatCannotBeReadIsAnError(t *testing.T) {
	_, err := Load(filepath.Join("testdata", "absent.yaml"), ProcessEnv())
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatIsTooLongIsRefused(t *testing.T) {
	env := ProcessEnv()
	env.ReadFile = func(string) ([]byte, error) { return make([]byte, maxFile+1), nil }
	if _, err := Load("c.yaml", env); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("got %v", err)
	}
}

func TestOpenOnLoopbackNeedsNoInsistence(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "localhost:80", "[::1]:80", "127.8.9.1:1", "[::ffff:127.0.0.1]:1"} {
		if err := open(listen); err != nil {
			t.Errorf("%s: %v", listen, err)
		}
	}
	for _, listen := range []string{":80", "0.0.0.0:80", "[::]:80", "10.0.0.1:80", "localhost.example:80", "[::ffff:10.0.0.1]:1"} {
		if err := open(listen); err == nil {
			t.Errorf("%s: got no error", listen)
		}
	}
}

func open(listen string) error {
	env := ProcessEnv()
	env.ReadFile = func(string) ([]byte, error) {
		return []byte(`{listen: "` + listen + `", api: {auth: none}, sources: [{name: a, type: alertmanager, auth: none}]}`), nil
	}
	_, err := Load("c.yaml", env)
	return err
}

func TestDefaultNeedsNoFile(t *testing.T) {
	c := Default()
	if !isLoopback(c.Listen) || !c.API.None || !c.API.Enabled() || len(c.Rules) != 0 || !c.Reporters.Log.All {
		t.Errorf("got %+v", c)
	}
	if (API{}).Enabled() {
		t.Error("the zero API is open")
	}
}

func TestCheckSecretsNamesEveryPlace(t *testing.T) {
	env := Env{
		LookupEnv: func(name string) (string, bool) { return "value", name == "THERE" },
		ReadFile: func(path string) ([]byte, error) {
			if filepath.Base(path) != "c.yaml" {
				return nil, os.ErrPermission
			}
			return []byte(`sources:
  - {name: a, type: alertmanager, auth: {bearer: [{env: THERE}, {env: GONE}]}}
  - {name: b, type: alertmanager, auth: {basic: {username: u, password: {file: f}}}}
  - {name: c, type: grafana, auth: {urlToken: [{token: {env: GONE}}, {env: THERE}], hmac: {preset: grafana, secret: {file: f}}}}
azure: {a: {subscription: 3f9a0c1e-52d7-4b86-9f10-6a7b8c9d0e1f, credential: client-secret, tenant: 0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0,
  clientID: 11112222-3333-4444-8555-666677778888, clientSecret: {env: GONE}}}
redis: {r: {sentinel: {master: m, addresses: ["h:1"], password: {env: GONE}}, password: {file: f}}}
prometheus: {p: {url: "http://p", bearer: {env: GONE}}, q: {url: "http://q", basic: {username: u, password: {file: f}}}}
alertmanagers: {a: {url: "http://a", bearer: {env: GONE}}}
commands: {c: {path: /bin/true, env: {A: text, B: {env: GONE}}}}
reporters: {webhook: {w: {url: "https://e/", auth: {bearer: {env: GONE}}, signature: {env: GONE}}}}
api: {auth: {tokens: [{name: t, role: admin, token: {env: GONE}}]}}
`), nil
		},
		Now: time.Now,
	}
	c, err := Load("etc/c.yaml", env)
	if err != nil {
		t.Fatal(err)
	}
	var problems Problems
	if !errors.As(c.CheckSecrets(), &problems) {
		t.Fatalf("got %v", c.CheckSecrets())
	}
	golden(t, filepath.Join("testdata", "secrets.txt"), problems.Error()+"\n")
}

func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"*.good.yaml", "*.bad.yaml"} {
		files, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		env := ProcessEnv()
		env.ReadFile = func(string) ([]byte, error) { return content, nil }
		c, err := Load("c.yaml", env)
		if (c == nil) != (err != nil) {
			t.Fatalf("got %v and %v", c, err)
		}
		var problems Problems
		if err != nil && !errors.As(err, &problems) {
			t.Fatalf("got %T", err)
		}
		for _, p := range problems {
			if p.Message == "" || p.Line < 0 || (p.Line > 0 && p.Column < 1) {
				t.Fatalf("got %+v", p)
			}
		}
	})
}
