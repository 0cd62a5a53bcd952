package manual_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/internal/manual"
	"github.com/tripgen/paramedic/receiver/jsonmap"
)

// blocks are the page's code blocks of one language.
func blocks(t *testing.T, page, language string) []string {
	t.Helper()
	var found []string
	for _, b := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(page, -1) {
		found = append(found, b[1])
	}
	if len(found) == 0 {
		t.Fatalf("the page has no block of %s", language)
	}
	return found
}

// load reads a configuration as the program does, as far as that goes without its secrets.
func load(t *testing.T, text string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "paramedic.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, config.ProcessEnv())
	if err == nil {
		err = app.CheckSources(c)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

// TestTheConfigurationsAreGood also holds that each type of source, and each kind of authentication, is shown.
func TestTheConfigurationsAreGood(t *testing.T) {
	t.Parallel()
	types := map[string]bool{}
	var auth config.Auth
	for _, text := range blocks(t, manual.Sources, "yaml") {
		for _, s := range load(t, text).Sources {
			types[s.Type] = true
			if strings.Contains(text, "name: everything") {
				auth = s.Auth
			}
		}
	}
	for _, kind := range config.SourceTypes() {
		if !types[kind] || !strings.Contains(manual.Sources, "| `"+kind+"` |") {
			t.Errorf("the page does not show type %s", kind)
		}
	}
	for kind, shown := range map[string]int{
		"bearer": len(auth.Bearer), "basic": len(auth.Basic), "mtls": len(auth.MTLS), "urlToken": len(auth.URLToken),
		"hmac": len(auth.HMAC), "entra": len(auth.Entra), "oidc": len(auth.OIDC),
	} {
		if shown == 0 {
			t.Errorf("the page does not show auth.%s", kind)
		}
	}
	for _, preset := range config.SignaturePresets() {
		if !strings.Contains(manual.Sources, preset) {
			t.Errorf("the page does not name the preset %s", preset)
		}
	}
}

// TestAlertmanagersConfigurationsAreGood has a real Alertmanager start with each.
func TestAlertmanagersConfigurationsAreGood(t *testing.T) {
	t.Parallel()
	for _, text := range blocks(t, manual.Sources, "alertmanager") {
		lab.RunAlertmanager(t, text)
	}
}

// TestTheMappingDoesWhatStandsBesideIt decodes the page's body by the page's mapping.
func TestTheMappingDoesWhatStandsBesideIt(t *testing.T) {
	t.Parallel()
	var source config.Source
	for _, text := range blocks(t, manual.Sources, "yaml") {
		for _, s := range load(t, text).Sources {
			if s.Mapping != nil {
				source = s
			}
		}
	}
	m := source.Mapping
	mapping := jsonmap.Mapping{
		Alerts: m.Alerts.Text, Name: m.Name.Text, Status: m.Status.Text, Severity: m.Severity.Text,
		Fingerprint: m.Fingerprint.Text, StartsAt: m.StartsAt.Text, URL: m.URL.Text,
		Labels: map[string]string{}, Annotations: map[string]string{},
	}
	for name, e := range m.Labels {
		mapping.Labels[name] = e.Text
	}
	for name, e := range m.Annotations {
		mapping.Annotations[name] = e.Text
	}
	decoder, err := jsonmap.New(mapping)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := decoder.Decode(source.Name, nil, []byte(blocks(t, manual.Sources, "json")[0]), time.Time{})
	if err != nil || len(decoded.Refused)+len(decoded.Warnings) > 0 {
		t.Fatalf("%v, %+v", err, decoded)
	}
	got, err := json.Marshal(decoded.Alerts)
	if err != nil {
		t.Fatal(err)
	}
	if want := blocks(t, manual.Sources, "alerts")[0]; !sameJSON(t, string(got), want) {
		t.Errorf("got\n%s\nthe page has\n%s", got, want)
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var texts [2][]byte
	for i, text := range []string{a, b} {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		var err error
		if texts[i], err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
	}
	return bytes.Equal(texts[0], texts[1])
}

// TestThePagesSuitATerminal bounds their lines, but for tables and examples.
func TestThePagesSuitATerminal(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{"sources": manual.Sources, "responses": manual.Responses, "workers": manual.Workers, "failover": manual.Failover} {
		for i, line := range strings.Split(page, "\n") {
			if len(line) > 90 && !strings.HasPrefix(line, "|") && !strings.Contains(line, "{") {
				t.Errorf("%s.md:%d has %d characters", name, i+1, len(line))
			}
		}
	}
}
