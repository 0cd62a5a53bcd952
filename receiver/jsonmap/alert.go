package jsonmap

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/remark"
)

const (
	// maxFingerprint bounds what becomes part of keys.
	maxFingerprint = 128
	// maxLabel and maxAnnotation bound one text, in bytes.
	maxLabel      = 4 << 10
	maxAnnotation = 16 << 10
)

// alert evaluates the mapping for one element.
func (d *decoding) alert(i int, item ref.Val) (alert.Alert, error) {
	a := alert.Alert{
		Source: d.source,
		Labels: make(map[string]string, len(d.fields.labels)+2), Annotations: make(map[string]string, len(d.fields.annotations)),
	}
	for _, f := range []struct {
		field *field
		into  *string
	}{
		{d.fields.name, &a.Name},
		{d.fields.severity, &a.Severity},
		{d.fields.fingerprint, &a.Fingerprint},
		{d.fields.status, (*string)(&a.Status)},
	} {
		var err error
		if *f.into, err = d.strict(i, f.field, item); err != nil {
			return a, err
		}
	}
	if a.Name == "" {
		return a, unusable("alerts[%d].name is empty", i)
	}
	said := a.Status
	if a.Status = alert.Status(strings.ToLower(string(said))); !a.Status.Valid() {
		return a, unusable("alerts[%d].status is %q; it must be firing or resolved", i, remark.Clip(string(said)))
	}
	a.Labels["alertname"] = a.Name
	if a.Severity != "" {
		a.Labels["severity"] = a.Severity
	}
	for _, l := range d.fields.labels {
		value, err := d.strict(i, &l.field, item)
		if err != nil {
			return a, err
		}
		if value != "" {
			a.Labels[l.name] = value
		}
	}
	switch {
	case a.Fingerprint == "":
		a.Fingerprint = alert.Fingerprint(a.Labels)
	case len(a.Fingerprint) > maxFingerprint:
		a.Fingerprint = alert.Fingerprint(map[string]string{"fingerprint": a.Fingerprint})
	}
	if err := d.start(i, &a, item); err != nil {
		return a, err
	}
	err := d.describe(i, &a, item)
	return a, err
}

func (d *decoding) start(i int, a *alert.Alert, item ref.Val) error {
	if d.fields.startsAt == nil {
		return nil
	}
	v, err := d.eval(d.fields.startsAt, item)
	if err == nil {
		a.StartsAt, err = instant(v)
	}
	if err != nil {
		return fmt.Errorf("alerts[%d].startsAt: %w", i, err)
	}
	if a.StartsAt.IsZero() {
		d.warnings.Addf("alerts[%d].startsAt is not given: its firings cannot be told apart", i)
	}
	return nil
}

// describe fills what an alert can be without.
func (d *decoding) describe(i int, a *alert.Alert, item ref.Val) error {
	loose := func(f *field) (string, error) {
		value, err := d.value(f, item)
		if _, ok := asUnusable(err); ok {
			d.warnings.Addf("alerts[%d].%s: %s; left out", i, f.name, err)
			return "", nil
		}
		if err != nil {
			return "", err
		}
		if len(value) > maxAnnotation {
			d.warnings.Addf("alerts[%d].%s has %d bytes; cut to %d", i, f.name, len(value), maxAnnotation)
			value = remark.ClipTo(value, maxAnnotation)
		}
		return value, d.pay(len(value))
	}
	for _, n := range d.fields.annotations {
		value, err := loose(&n.field)
		if err != nil {
			return err
		}
		if value != "" {
			a.Annotations[n.name] = value
		}
	}
	if d.fields.url == nil {
		return nil
	}
	var err error
	a.URL, err = loose(d.fields.url)
	return err
}

// strict is the text of a field that an alert cannot be without, if f is given.
func (d *decoding) strict(i int, f *field, item ref.Val) (string, error) {
	if f == nil {
		return "", nil
	}
	value, err := d.value(f, item)
	switch {
	case err != nil:
		return "", fmt.Errorf("alerts[%d].%s: %w", i, f.name, err)
	case len(value) > maxLabel:
		return "", unusable("alerts[%d].%s has %d bytes; at most %d are taken", i, f.name, len(value), maxLabel)
	}
	return value, d.pay(len(value))
}

// pay takes n bytes from what the body's fields may have together.
func (d *decoding) pay(n int) error {
	if d.text -= n; d.text < 0 {
		return fmt.Errorf("%w: the alerts of the body have far more text than the body itself", receiver.ErrTooLarge)
	}
	return nil
}

func (d *decoding) value(f *field, item ref.Val) (string, error) {
	v, err := d.eval(f, item)
	if err != nil {
		return "", err
	}
	return text(v)
}

// eval evaluates one expression. Its failure is the alert's; that of the body is
// to have cost too much in all.
func (d *decoding) eval(f *field, item ref.Val) (ref.Val, error) {
	variables := map[string]any{"body": d.body}
	if item != nil {
		variables["item"] = item
	}
	v, details, err := f.program.Eval(variables)
	if details != nil && details.ActualCost() != nil {
		d.spent += *details.ActualCost()
	}
	switch {
	case d.spent > maxBodyCost:
		return nil, fmt.Errorf("%w: the mapping has cost more than %d steps for this body", receiver.ErrTooLarge, maxBodyCost)
	case err != nil:
		return nil, unusable("%s", remark.Line(err))
	case types.IsUnknownOrError(v):
		return nil, unusable("the expression has no value")
	}
	return present(v), nil
}

// present is what an optional value holds, or null.
func present(v ref.Val) ref.Val {
	o, ok := v.(*types.Optional)
	switch {
	case !ok:
		return v
	case !o.HasValue():
		return types.NullValue
	default:
		return o.GetValue()
	}
}

// maxSeconds is far beyond every time that is taken, and within what a time can
// hold.
const maxSeconds = 1 << 40

func instant(v ref.Val) (time.Time, error) {
	var t time.Time
	switch v := v.(type) {
	case types.Null:
		return t, nil
	case types.Timestamp:
		t = v.Time
	case types.String:
		if v == "" {
			return t, nil
		}
		var err error
		if t, err = time.Parse(time.RFC3339Nano, string(v)); err != nil {
			return t, unusable("it is %q; it must be a time as of RFC 3339", remark.Clip(string(v)))
		}
	case types.Int:
		t = time.Unix(min(max(int64(v), 0), maxSeconds), 0)
	case types.Uint:
		t = time.Unix(int64(min(v, maxSeconds)), 0)
	case types.Double:
		if math.IsNaN(float64(v)) {
			return t, unusable("it is not a number")
		}
		whole, part := math.Modf(min(max(float64(v), 0), maxSeconds))
		t = time.Unix(int64(whole), int64(part*1e9))
	default:
		return t, unusable("it is a CEL %s; it must be a timestamp, a text or a number of seconds", v.Type().TypeName())
	}
	t = t.UTC()
	switch {
	case t.Before(time.Unix(24*60*60, 0)):
		// Some zero value: the time is not known.
		return time.Time{}, nil
	case t.Year() > 2261:
		// Nanoseconds since 1970 are the episode's identity and end in 2262.
		return time.Time{}, unusable("it is in the year %d, but must be before 2262: divide milliseconds by 1000", t.Year())
	}
	return t, nil
}
