package alertmanager

import (
	"errors"
	"fmt"

	"github.com/tripgen/paramedic/receiver"
)

// unusableError is what is wrong with one alert, in a body that is sound JSON:
// the alert is refused, and reading goes on behind it.
type unusableError string

func (e unusableError) Error() string { return string(e) }

func unusable(format string, args ...any) error {
	return unusableError(fmt.Sprintf(format, args...))
}

// maxReasons bounds the reasons kept: a body may have very many tiny alerts.
const maxReasons = 20

// refuse notes that alert i cannot be used, if that is what err says. Any other
// error is that of the whole body.
func (d *decoding) refuse(i int, err error) error {
	if _, ok := errors.AsType[unusableError](err); !ok {
		return err
	}
	reason := ""
	if len(d.refused) < maxReasons {
		reason = err.Error()
	}
	d.refused = append(d.refused, receiver.RefusedAlert{Index: i, Reason: reason})
	return nil
}

// leave reads on, from anywhere between two tokens, to the end of what is open
// beyond depth.
func (d *decoding) leave(depth int) error {
	for d.json.StackDepth() > depth {
		var err error
		switch d.json.PeekKind() {
		case '}', ']':
			_, err = d.json.ReadToken()
		default:
			err = d.json.SkipValue()
		}
		if err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
	}
	return nil
}

// nothing is the error of a body without a usable alert.
func (d *decoding) nothing() error {
	switch len(d.refused) {
	case 0:
		return errors.New("the body has no alerts; there must be at least one")
	case 1:
		return errors.New(d.refused[0].Reason)
	default:
		return fmt.Errorf("none of %d alerts can be used; the first: %s", len(d.refused), d.refused[0].Reason)
	}
}
