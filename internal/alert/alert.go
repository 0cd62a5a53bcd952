// Package alert holds the normalised alert: the one shape that every source is
// decoded into, and the identity by which the rest of Paramedic tells one
// firing from another.
//
// It is pure data and imports nothing of the project. Values are treated as
// immutable once decoded, so they may be shared between goroutines.
package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Status says whether an alert fires or has ended.
type Status string

// The two statuses an alert may have. A source's other states (acknowledged,
// pending, no data) are mapped onto these by its decoder.
const (
	Firing   Status = "firing"
	Resolved Status = "resolved"
)

// Valid reports whether s is one of the two statuses.
func (s Status) Valid() bool { return s == Firing || s == Resolved }

// Alert is one alert of a delivery, normalised.
type Alert struct {
	// Source is the configured name of the source that it came through.
	Source string `json:"source"`
	// Fingerprint identifies the alerting series within the source. A decoder
	// whose body has none sets [Fingerprint] of the labels.
	Fingerprint string `json:"fingerprint"`
	// Name is what the source calls the alert: its alertname or alert rule. Where
	// there is a label alertname, it says the same.
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Severity is as the source sent it; empty if it sent none.
	Severity string `json:"severity,omitempty"`
	// Labels identify, Annotations describe. Neither is nil after decoding.
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// StartsAt is when this firing began; zero if the source does not say.
	StartsAt time.Time `json:"startsAt,omitzero"`
	// EndsAt is when it ended; zero while it fires.
	EndsAt time.Time `json:"endsAt,omitzero"`
	// At is when the source says that this was so, by its own clock; zero if it does
	// not say. Of two notifications of one firing the later counts, in whatever
	// order they come.
	At time.Time `json:"at,omitzero"`
	// URL leads a person to the alert in its source.
	URL string `json:"url,omitempty"`
}

// EpisodeID identifies one firing of one alert, from start to resolve.
type EpisodeID string

// Episode returns the identity of the firing that a belongs to: source,
// fingerprint and start. It is the same for every notification of one firing,
// firing or resolved, and for every replica of the source that sends it.
func (a Alert) Episode() EpisodeID {
	var start int64
	if !a.StartsAt.IsZero() {
		start = a.StartsAt.UnixNano()
	}
	return EpisodeID(a.Series() + "/" + strconv.FormatInt(start, 36))
}

// Series identifies the alerting series over all of its firings.
func (a Alert) Series() string { return a.Source + "/" + a.Fingerprint }

// Validate reports what a decoder left out that the engine relies on.
func (a Alert) Validate() error {
	switch {
	case a.Source == "":
		return fmt.Errorf("alert %q: no source", a.Name)
	case a.Fingerprint == "":
		return fmt.Errorf("alert %q: no fingerprint", a.Name)
	case !a.Status.Valid():
		return fmt.Errorf("alert %q: status %q is neither %q nor %q", a.Name, a.Status, Firing, Resolved)
	case a.Labels["alertname"] != "" && a.Labels["alertname"] != a.Name:
		return fmt.Errorf("alert %q: the label alertname names it %q", a.Name, a.Labels["alertname"])
	default:
		return nil
	}
}

// Fingerprint hashes labels independently of their order, for sources that send
// no fingerprint of their own.
func Fingerprint(labels map[string]string) string {
	names := make([]string, 0, len(labels))
	for n := range labels {
		names = append(names, n)
	}
	sort.Strings(names)
	var b strings.Builder
	for _, n := range names {
		// Quoting keeps {"a": "b,c=d"} apart from {"a": "b", "c": "d"}.
		b.WriteString(strconv.Quote(n))
		b.WriteByte('=')
		b.WriteString(strconv.Quote(labels[n]))
		b.WriteByte(',')
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:8])
}
