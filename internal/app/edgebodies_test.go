package app

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// bodies are what one type of sender may send. An empty one is what it cannot.
type bodies struct {
	fine, partly, nothing, many, large string
}

func bodiesOf(t *testing.T, kind string) bodies {
	t.Helper()
	// The edge that is to find an alert too large takes no more than 16 KiB.
	long := strings.Repeat("long ", 4000)
	list := func(before, one, after string, n int) string {
		return before + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + after
	}
	switch kind {
	case "alertmanager", "grafana":
		alert := `{"status":"firing","labels":{"alertname":"Down"},"startsAt":"2026-03-01T09:29:00Z","fingerprint":"0a"}`
		group := `{"version":"1","orgId":1,"groupKey":"{}:{}","alerts":[`
		b := bodies{
			fine:   group + alert + `]}`,
			partly: group + alert + `,{"status":"burning"}]}`,
			many:   list(group, `{"status":"firing","labels":{"alertname":"a"}}`, `]}`, 50_001),
			large:  group + strings.Replace(alert, `"Down"`, `"Down","text":"`+long+`"`, 1) + `]}`,
		}
		if kind == "grafana" {
			b.nothing = strings.Replace(b.fine, "{}:{}", "test-0123456789abcdef-1772357400", 1)
		}
		return b
	case "azuremonitor":
		fine := fixture(t, "azuremonitor/testdata/metric_static.json")
		return bodies{fine: fine, large: strings.Replace(fine, `"orders-rule"`, `"`+long+`"`, 1)}
	case "cloudevents":
		event := `{"specversion":"1.0","id":"1","source":"/shop","type":"full","subject":"cart"}`
		return bodies{
			fine:   event,
			partly: `[` + event + `,{"specversion":"1.0"}]`,
			many:   list(`[`, event, `]`, 5001),
			large:  strings.Replace(event, `"cart"`, `"`+long+`"`, 1),
		}
	case "json":
		return bodies{
			fine:   `[{"name":"disk"}]`,
			partly: `[{"name":"disk"},{"title":"disk"}]`,
			many:   list(`[`, `{"name":"disk"}`, `]`, 5001),
			large:  `[{"name":"disk","text":"` + long + `"}]`,
		}
	case "pagerduty":
		fine := fixture(t, "pagerduty/testdata/triggered.good.json")
		return bodies{
			fine:    fine,
			nothing: `{"event":{"id":"1","event_type":"pagey.ping","data":{"type":"ping","message":"Hello"}}}`,
			large:   strings.Replace(fine, `"Nothing leaves the booking queue"`, `"`+long+`"`, 1),
		}
	}
	t.Fatalf("no bodies of type %s", kind)
	return bodies{}
}

func fixture(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../receiver/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// signature are the headers of a body that was signed so long ago.
func signature(body string, ago time.Duration) []string {
	stamp := strconv.FormatInt(time.Now().Add(-ago).Unix(), 10)
	mac := hmac.New(sha256.New, []byte(edgeToken))
	mac.Write([]byte(stamp + ":" + body))
	return []string{"X-Time", stamp, "X-Signature", hex.EncodeToString(mac.Sum(nil)), "Authorization", ""}
}
