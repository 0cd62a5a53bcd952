package azuremonitor

import (
	"errors"
	"time"

	"github.com/tripgen/paramedic/receiver/remark"
)

// errNoTime is what a text is that no layout fits.
var errNoTime = errors.New("it must be a time such as 2026-01-31T12:00:00.123Z")

// instant reads a time as Azure writes it: RFC 3339 with 0 to 7 digits of a
// fraction, the same without a zone, or the American form. What has no zone is
// UTC. What is before 1970-01-02 is some zero value and means that the time is
// not known.
func instant(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := parse(s)
	if err != nil {
		return time.Time{}, err
	}
	t = t.UTC()
	switch {
	case t.Before(time.Unix(24*60*60, 0)):
		return time.Time{}, nil
	case t.Year() > 2261:
		// Nanoseconds since 1970 are the episode's identity and end in 2262.
		return time.Time{}, errors.New("it must be before the year 2262")
	}
	return t, nil
}

func parse(s string) (time.Time, error) {
	for _, layout := range [...]string{
		time.RFC3339, // parsing takes any fraction
		"2006-01-02T15:04:05",
		"2006-01-02T15:04:05Z0700",
		"2006-01-02 15:04:05Z07:00",
		"2006-01-02 15:04:05",
		"1/2/2006 3:04:05 PM",
		"1/2/2006 15:04:05",
	} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errNoTime
}

// start reads the time that tells one firing from another.
func (d *decoding) start(o object, name string) time.Time {
	sent := o.text(name)
	t, err := instant(sent)
	if err != nil {
		d.fail("%s is %q; %w", o.at(name), remark.Clip(sent), err)
	}
	return t
}

// looseInstant reads a time that only describes.
func (d *decoding) looseInstant(o object, name string) time.Time {
	sent := o.loose(name)
	t, err := instant(sent)
	if err != nil {
		d.warnings.Addf("%s is %q; %s; left out", o.at(name), remark.Clip(sent), err)
	}
	return t
}

// noteInstant sets an annotation to a time in RFC 3339, or as sent if it is none.
func (d *decoding) noteInstant(annotation string, o object, name string) {
	sent := o.loose(name)
	if t, err := instant(sent); err == nil && !t.IsZero() {
		sent = t.Format(time.RFC3339Nano)
	}
	d.note(annotation, sent)
}
