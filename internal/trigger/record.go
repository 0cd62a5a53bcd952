package trigger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// Record is what is remembered of one alerting series of a trigger. Its JSON form
// is kept by the bus: a released field keeps its name and meaning.
type Record struct {
	// Alert is the series as it was last raised or resolved; it has no source if
	// that never happened.
	Alert alert.Alert `json:"alert,omitzero"`
	// At is when that was decided, by the clock of who did.
	At time.Time `json:"at,omitzero"`
	// Sent says that it is in INBOX for certain.
	Sent bool `json:"sent,omitempty"`

	// Tick is up to when a schedule's starts are dealt with, or when costs were
	// looked at last.
	Tick time.Time `json:"tick,omitzero"`
	// Period says that the alert fires until the schedule's restore.
	Period bool `json:"period,omitempty"`
	// Rollout identifies the one that was dealt with last, of the workload UID, and
	// Version is that of the state in which it was.
	Rollout string `json:"rollout,omitempty"`
	UID     string `json:"uid,omitempty"`
	Version uint64 `json:"version,omitempty"`
}

// Firing reports whether the series was last raised.
func (r Record) Firing() bool { return r.Alert.Source != "" && r.Alert.Status == alert.Firing }

// raised is the record after an alert was raised. A series whose clock was ahead
// still goes forward: of two firings the engine takes the later start for the newer.
func (r Record) raised(a alert.Alert, startsAt, now time.Time) Record {
	if last := r.Alert.StartsAt; !startsAt.After(last) {
		startsAt = last.Add(time.Millisecond)
	}
	a.Status, a.StartsAt, a.EndsAt = alert.Firing, startsAt.UTC(), time.Time{}
	r.Alert, r.At, r.Sent = a, now.UTC(), false
	return r
}

// resolved is the record after its alert was resolved.
func (r Record) resolved(endsAt, now time.Time) Record {
	a := r.Alert
	if endsAt.Before(a.StartsAt) {
		endsAt = a.StartsAt
	}
	a.Status, a.EndsAt = alert.Resolved, endsAt.UTC()
	r.Alert, r.At, r.Sent, r.Period = a, now.UTC(), false, false
	return r
}

// pending reports whether the alert may not be in INBOX.
func (r Record) pending() bool { return r.Alert.Source != "" && !r.Sent }

// message is what the record puts into INBOX, received at a time, and its id: both
// follow from the arguments alone.
func (r Record) message(at time.Time) (id string, line []byte, err error) {
	at = at.Round(0).UTC()
	sum := sha256.Sum256([]byte(strings.Join([]string{
		string(r.Alert.Episode()), string(r.Alert.Status), strconv.FormatInt(at.UnixNano(), 36),
	}, "\x00")))
	id = "trigger-" + hex.EncodeToString(sum[:12])
	line, err = json.Marshal(engine.Input{Delivery: &alert.Delivery{
		ID: id, Source: r.Alert.Source, ReceivedAt: at, Alerts: []alert.Alert{r.Alert},
	}})
	if err != nil {
		return "", nil, fmt.Errorf("encode the alert of %s: %w", r.Alert.Name, err)
	}
	return id, line, nil
}

// Limits of the texts that are put on alerts, in bytes.
const maxText = 4 << 10

// newAlert is an alert of a trigger, without a status. Identity are the labels that
// tell its series from others of the trigger, more those that do not.
func newAlert(t rules.Trigger, identity, more, annotations map[string]string) alert.Alert {
	labels := maps.Clone(t.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, identity)
	labels["alertname"] = t.Rule
	a := alert.Alert{Source: t.Source(), Name: t.Rule, Fingerprint: alert.Fingerprint(labels)}
	maps.Copy(labels, more)
	a.Labels, a.Severity = labels, labels["severity"]
	a.Annotations = map[string]string{}
	for name, text := range annotations {
		if len(text) > maxText {
			text = strings.ToValidUTF8(text[:maxText], "") + "..."
		}
		if text != "" {
			a.Annotations[name] = text
		}
	}
	return a
}

// baseline is the series of the record about a trigger itself: since when it looks,
// or when it looked last.
const baseline = ""

// key names the record of a series: of a trigger, and within it.
func key(t rules.Trigger, series string) string {
	k := prefix(t.Kind, t.Rule)
	if series == "" {
		return k
	}
	return k + "/" + series
}

func prefix(kind rules.TriggerKind, rule string) string { return string(kind) + "/" + rule }

// owner is the trigger that a key is of: rules' names have no slash.
func owner(key string) string {
	parts := strings.SplitN(key, "/", 3)
	if len(parts) < 2 {
		return key
	}
	return parts[0] + "/" + parts[1]
}
