package webhook_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver/alertmanager"
	"github.com/tripgen/paramedic/receiver/alertmanager/webhook"
)

func TestTheDecoderReadsWhatIsSent(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 3, 1, 3, 0, 0, 5, time.UTC)
	down := webhook.Firing(map[string]string{"alertname": "ServiceDown", "severity": "critical"}, since)
	up := webhook.Firing(map[string]string{"alertname": "Other"}, since).Resolved(since.Add(time.Minute))
	var got []alert.Alert
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		decoded, err := new(alertmanager.Decoder).Decode("am", r.Header, body, since)
		if err != nil || len(decoded.Refused) > 0 || len(decoded.Warnings) > 0 {
			t.Errorf("decoded %+v, %v", decoded, err)
		}
		got = decoded.Alerts
		w.WriteHeader(http.StatusAccepted)
	}))
	defer s.Close()
	sender := webhook.Sender{Client: s.Client(), URL: s.URL, Token: "secret"}
	if code, err := sender.Post(t.Context(), webhook.New(down, up)); code != http.StatusAccepted || err != nil {
		t.Fatalf("%d, %v", code, err)
	}
	if len(got) != 2 || got[0].Episode() != down.Episode("am") || got[0].Severity != "critical" || got[1].Status != alert.Resolved {
		t.Errorf("became %+v", got)
	}
	sender.Token = "wrong"
	if code, err := sender.Post(t.Context(), webhook.New(down)); code != http.StatusUnauthorized || err == nil || strings.Contains(err.Error(), "wrong") {
		t.Errorf("%d, %v", code, err)
	}
	s.Close()
	if code, err := sender.Post(t.Context(), webhook.New(down)); code != 0 || err == nil {
		t.Errorf("without a server: %d, %v", code, err)
	}
}
