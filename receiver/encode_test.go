package receiver

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

func sample(n, size int) alert.Delivery {
	d := alert.Delivery{
		ID: "d-1", Source: "am", ReceivedAt: time.Date(2026, 3, 1, 9, 30, 0, 1, time.UTC),
		Warnings: []string{"one", "<two> & three"},
	}
	for i := range n {
		d.Alerts = append(d.Alerts, alert.Alert{
			Source: "am", Fingerprint: strconv.Itoa(i), Name: "Down", Status: alert.Firing,
			Labels:      map[string]string{"i": strconv.Itoa(i), "odd": "<\u2028&\"\\\x00>"},
			Annotations: map[string]string{"text": strings.Repeat("é", size/2)},
			StartsAt:    time.Date(2026, 3, 1, 9, 29, i, 0, time.UTC),
		})
	}
	return d
}

func decodeLine(t *testing.T, line []byte) alert.Delivery {
	t.Helper()
	var input struct {
		Delivery alert.Delivery `json:"delivery"`
	}
	if err := json.Unmarshal(line, &input); err != nil {
		t.Fatal(err)
	}
	return input.Delivery
}

// Whatever the sizes: each line fits, is one line, and the parts together are
// the delivery.
func TestEncodeSplitsWithoutLoss(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		limit := 2000 + random.IntN(6000)
		d := sample(1+random.IntN(60), random.IntN(700))
		lines, err := encode(d, 0, limit)
		if err != nil {
			t.Fatalf("limit %d: %v", limit, err)
		}
		var back alert.Delivery
		for i, line := range lines {
			if len(line) > limit || strings.Count(string(line), "\n") != 1 || line[len(line)-1] != '\n' {
				t.Fatalf("a line of %d bytes for a limit of %d", len(line), limit)
			}
			part := decodeLine(t, line)
			if len(part.Alerts) == 0 {
				t.Error("an empty part")
			}
			if len(lines) > 1 && (part.Part != i || part.Parts != len(lines)) || len(lines) == 1 && part.Parts != 0 {
				t.Errorf("part %d of %d in line %d of %d", part.Part, part.Parts, i, len(lines))
			}
			if i == 0 {
				back = part
				continue
			}
			if part.ID != d.ID || part.Source != d.Source || !part.ReceivedAt.Equal(d.ReceivedAt) || part.Warnings != nil {
				t.Errorf("another frame: %+v", part)
			}
			back.Alerts = append(back.Alerts, part.Alerts...)
		}
		back.Part, back.Parts = 0, 0
		if !reflect.DeepEqual(back, d) {
			t.Fatalf("got %+v\nwant %+v", back, d)
		}
	}
}

func TestEncodeNamesTheAlertThatIsTooLarge(t *testing.T) {
	t.Parallel()
	d := sample(3, 100)
	d.Alerts[2].Annotations["text"] = strings.Repeat("x", 3000)
	_, err := encode(d, 0, 2000)
	var large *tooLargeError
	if !errors.As(err, &large) || len(large.alerts) != 1 || large.alerts[0].index != 2 || large.alerts[0].bytes < 3000 || large.limit > 2000 {
		t.Errorf("got %v", err)
	}
}

func TestEncodeKeepsURLsReadable(t *testing.T) {
	t.Parallel()
	d := sample(1, 10)
	d.Alerts[0].URL = "http://prometheus.test/graph?a=1&b=<2>"
	lines, err := encode(d, 0, 5000)
	if err != nil || !strings.Contains(string(lines[0]), "a=1&b=<2>") {
		t.Errorf("%s %v", lines, err)
	}
}
