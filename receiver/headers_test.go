package receiver_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tripgen/paramedic/receiver"
)

// keeper is a decoder that uses nothing, and has these headers kept.
type keeper []string

func (k keeper) Traits() receiver.Traits {
	return receiver.Traits{MediaTypes: []string{"application/json"}, Headers: k, UndecodableStatus: 400}
}

func (keeper) Decode(string, http.Header, []byte, time.Time) (receiver.Decoded, error) {
	// JSON spells each of these with six characters.
	return receiver.Decoded{}, errors.New(strings.Repeat("<", 2000))
}

// keptOf is what lies in quarantine of a request with these headers.
func keptOf(t *testing.T, wanted []string, given http.Header) map[string]string {
	t.Helper()
	s := newShelf()
	r := start(t, s, func(o *receiver.Options) { o.Sources[0].Decoder = keeper(wanted) })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/webhooks/am", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = given
	req.Header.Set("Authorization", "Bearer "+token)
	if got, err := do(req); err != nil || got.status != 400 || len(s.quarantine) != 1 {
		t.Fatalf("%v, %v, %d kept", got, err, len(s.quarantine))
	}
	kept := s.quarantine[0].headers
	if text, err := json.Marshal(kept); err != nil || len(text) > 7000 {
		t.Errorf("%d bytes of headers, %v: the bus takes 7 KiB", len(text), err)
	}
	for name, value := range kept {
		if strings.Contains(value, token) || strings.Contains(value, "s3cr3t") {
			t.Errorf("kept %s: %q", name, value)
		}
	}
	if !strings.HasPrefix(kept[receiver.HeaderReason], "<<<") || kept[receiver.HeaderReceivedAt] != "2026-03-01T09:30:00Z" {
		t.Errorf("kept %v", kept)
	}
	return kept
}

func TestHeadersThatAReplayNeedsAreKept(t *testing.T) {
	t.Parallel()
	kept := keptOf(t, []string{"X-One", "ce-*"}, http.Header{
		"Content-Type": {"application/json"}, "X-One": {"1"}, "X-Two": {"2"}, "Cent": {"no"},
		"Ce-Zone": {"%ED%95%9C\tA"},
	})
	for name, want := range map[string]string{
		"Content-Type": "application/json", "X-One": "1", "Ce-Zone": "%ED%95%9C\tA",
		"X-Two": "", "Cent": "", "Authorization": "", receiver.HeaderMissing: "",
	} {
		if kept[name] != want {
			t.Errorf("%s is kept as %q, want %q", name, kept[name], want)
		}
	}
}

// What is not kept as it came is named.
func TestHeadersThatAreNotKeptAreNamed(t *testing.T) {
	t.Parallel()
	given := http.Header{
		"Content-Type": {"application/json"}, "Ce-Id": {"7"}, "Ce-Apikey": {"s3cr3t"}, "Ce-Sessiontoken": {"s3cr3t"}, "Ce-Sas-Key": {"s3cr3t"},
		"Ce-Partitionkey": {"p"}, "Ce-Twice": {"a", "b"}, "Ce-Latin": {"caf\xe9"}, "X-Other": {strings.Repeat("o", 9000)},
	}
	kept := keptOf(t, []string{"Ce-Id", "Ce-*"}, given)
	if kept["Ce-Id"] != "7" || kept["Ce-Partitionkey"] != "p" || kept["Ce-Twice"] != "a" ||
		kept[receiver.HeaderMissing] != "Ce-Apikey, Ce-Latin, Ce-Sas-Key, Ce-Sessiontoken, Ce-Twice" {
		t.Errorf("kept %v", kept)
	}
	for i := range 200 {
		given.Set(fmt.Sprintf("Ce-Ext%03d", i), strings.Repeat("x", 100))
	}
	kept = keptOf(t, []string{"Ce-Id", "Ce-*"}, given)
	missing := kept[receiver.HeaderMissing]
	if kept["Ce-Id"] != "7" || !strings.HasPrefix(missing, "Ce-Apikey, Ce-Ext") || !strings.HasSuffix(missing, " more") || len(missing) > 500 {
		t.Errorf("%d kept, missing %q", len(kept), missing)
	}
}

func TestDecodersMayNotKeepSecrets(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Authorization", "proxy-authorization", "Cookie", "X-PagerDuty-Signature", "X-Gitlab-Token", "X-Api-Key", "*", "-*", "Ce*"} {
		o := options(newShelf(), &syncBuffer{}, prometheus.NewRegistry())
		o.Sources[0].Decoder = keeper{"X-Fine", name}
		if rx, err := receiver.New(o); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) {
			t.Errorf("%s: %v", name, err)
			if rx != nil {
				_ = rx.Close(t.Context()) // only to end its goroutine
			}
		}
	}
}
