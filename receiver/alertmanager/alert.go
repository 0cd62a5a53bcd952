package alertmanager

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/remark"
)

// maxFingerprint bounds what is taken for a fingerprint: Alertmanager's has 16
// characters, other senders' are known to have 40. It becomes part of keys.
const maxFingerprint = 128

// sent is one alert as it was sent.
type sent struct {
	status, startsAt, endsAt, fingerprint, url string
	labels, annotations                        map[string]string
	// extra are the annotations that a dialect makes of other members.
	extra map[string]string
}

// element reads one element of the list, to its end also if it is refused.
func (d *decoding) element(i int) error {
	if kind := d.json.PeekKind(); kind != '{' && kind != 0 && kind != ']' {
		if err := d.json.SkipValue(); err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
		return d.refuse(i, unusable("alerts[%d] is a JSON %s; it must be an object", i, remark.KindName(kind)))
	}
	depth := d.json.StackDepth()
	if err := d.alert(i); err != nil {
		if err := d.refuse(i, err); err != nil {
			return err
		}
		return d.leave(depth)
	}
	return nil
}

func (d *decoding) alert(i int) error {
	var s sent
	if err := d.object(func(name []byte) error { return d.alertField(&s, i, name) }); err != nil {
		return err
	}
	a, err := d.normalise(s, i)
	if err != nil {
		return fmt.Errorf("alerts[%d]%w", i, err)
	}
	d.alerts = append(d.alerts, a)
	return nil
}

func (d *decoding) alertField(s *sent, i int, name []byte) (err error) {
	field := knownName(name)
	switch field {
	case "status":
		s.status, err = d.text()
	case "labels":
		s.labels, err = d.strings(nil)
	case "annotations":
		s.annotations, err = d.strings(func(name, value string) {
			d.warnings.Addf("alerts[%d].annotations: %q is not a string; taken as %s", i, name, value)
		})
	case "startsAt":
		s.startsAt, err = d.text()
	case "endsAt":
		s.endsAt, err = d.looseText()
	case "generatorURL":
		s.url, err = d.looseText()
	case "fingerprint":
		s.fingerprint, err = d.text()
	default:
		if annotation, ok := d.dialect.Annotations[field]; ok {
			err = d.extra(s, annotation)
		} else {
			err = d.json.SkipValue()
		}
	}
	if err != nil {
		return fmt.Errorf("alerts[%d].%s: %w", i, printableName(field), err)
	}
	return nil
}

// normalise judges what was sent. Its errors go on after "alerts[i]".
func (d *decoding) normalise(s sent, i int) (alert.Alert, error) {
	a := alert.Alert{
		Source:      d.source,
		Fingerprint: s.fingerprint,
		Name:        s.labels["alertname"],
		Status:      alert.Status(s.status),
		Severity:    s.labels["severity"],
		Labels:      s.labels,
		Annotations: s.annotations,
		URL:         s.url,
	}
	// Neither is nil, also if the body does not have it.
	if a.Labels == nil {
		a.Labels = map[string]string{}
	}
	if a.Annotations == nil {
		a.Annotations = map[string]string{}
	}
	for name, text := range s.extra {
		if _, sent := a.Annotations[name]; !sent {
			a.Annotations[name] = text
		}
	}
	if !a.Status.Valid() {
		// The rare sender writes FIRING.
		a.Status = alert.Status(strings.ToLower(s.status))
	}
	if !a.Status.Valid() {
		return a, unusable(".status is %q; it must be firing or resolved", remark.Clip(s.status))
	}
	if len(a.Fingerprint) > maxFingerprint {
		d.warnings.Addf("alerts[%d].fingerprint has more than %d characters; a hash of the labels is used", i, maxFingerprint)
		a.Fingerprint = ""
	}
	if a.Fingerprint == "" {
		if len(a.Labels) == 0 {
			return a, unusable(" has neither labels nor a usable fingerprint, so nothing identifies it")
		}
		a.Fingerprint = alert.Fingerprint(a.Labels)
	}
	var err error
	if a.StartsAt, err = Instant(s.startsAt); err != nil {
		return a, fmt.Errorf(".startsAt %w", err)
	}
	if a.StartsAt.IsZero() {
		d.warnings.Addf("alerts[%d].startsAt is not given: its firings cannot be told apart", i)
	}
	// While an alert fires, its end is only a guess at when it would be given up.
	if a.Status == alert.Resolved {
		if a.EndsAt, err = Instant(s.endsAt); err != nil {
			d.warnings.Addf("alerts[%d].endsAt %s; left out", i, err)
		}
	}
	if a.Name == "" {
		d.warnings.Addf("alerts[%d] has no label alertname", i)
	}
	return a, nil
}

// identify replaces a fingerprint that alerts with different labels share.
func (d *decoding) identify() {
	if len(d.alerts) == 1 {
		return
	}
	first := make(map[string]int, len(d.alerts))
	shared := make(map[string]bool)
	for i, a := range d.alerts {
		f, seen := first[a.Fingerprint]
		if !seen {
			first[a.Fingerprint] = i
		} else if !maps.Equal(a.Labels, d.alerts[f].Labels) {
			shared[a.Fingerprint] = true
		}
	}
	for i := range d.alerts {
		a := &d.alerts[i]
		if !shared[a.Fingerprint] {
			continue
		}
		place := receiver.Decoded{Refused: d.refused}.Place(i)
		d.warnings.Addf("alerts[%d].fingerprint %q is also that of other labels; a hash of the labels is used", place, a.Fingerprint)
		a.Fingerprint = alert.Fingerprint(a.Labels)
	}
}

// Instant reads an RFC 3339 time, in UTC. No alerting system began before
// 1970-01-02: what is earlier is some zero value ("0001-01-01", the epoch, in any
// time zone) and means, like "", that the time is not known. The error begins
// with "is" and what was sent.
func Instant(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	var t time.Time
	if err := t.UnmarshalText([]byte(s)); err != nil {
		return time.Time{}, unusable("is %q; it must be an RFC 3339 time", remark.Clip(s))
	}
	t = t.UTC()
	switch {
	case t.Before(time.Unix(24*60*60, 0)):
		return time.Time{}, nil
	case t.Year() > 2261:
		// Nanoseconds since 1970 are the episode's identity and end in 2262.
		return time.Time{}, unusable("is %q; it must be before the year 2262", remark.Clip(s))
	}
	return t, nil
}

func printableName(s string) string { return strings.Trim(fmt.Sprintf("%q", remark.Clip(s)), `"`) }
