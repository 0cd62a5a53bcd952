package reload

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
)

// look is what was read of the files at one time.
type look struct {
	sources []engine.Source
	// err is why they could not be read.
	err error
}

// fingerprint is the same for two looks at which the files said the same, or could
// not be read for the same reason.
func (l look) fingerprint() string {
	h := sha256.New()
	// A hash never returns an error.
	if l.err != nil {
		_, _ = fmt.Fprintf(h, "error %s", l.err)
	}
	for _, s := range l.sources {
		_, _ = fmt.Fprintf(h, "%d:%s%d:%s", len(s.Name), s.Name, len(s.Text), s.Text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// judge decides which looks to act upon: those that differ from the last that was
// acted upon, once two in a row agree.
type judge struct {
	acted, before string
}

// verdict says what to do about a look.
type verdict int

const (
	// same: nothing has changed.
	same verdict = iota
	// unsettled: something has; look again in a moment.
	unsettled
	// changed: act upon it.
	changed
)

func (j *judge) see(l look) verdict {
	now := l.fingerprint()
	before := j.before
	j.before = now
	switch now {
	case j.acted:
		return same
	case before:
		j.acted = now
		return changed
	}
	return unsettled
}
