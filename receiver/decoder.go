package receiver

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"sort"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// Decoder turns a request body of one type of source into alerts. It must be
// pure and safe for concurrent use, and must not keep body or h.
type Decoder interface {
	// Decode reads one body. source is the configured name, to be set on each
	// alert; receivedAt is when the body had been read. An error means that
	// nothing in the body can be used: it goes into quarantine, and its text is
	// shown to the sender, so it says where in the body and what is wrong.
	// A body without any usable alert is an error, unless it is sound and by its
	// nature has none: see Ignored. One bad alert beside good ones is no error,
	// but goes into Refused. [ErrTooLarge] says that the body is sound but more
	// than can be handled.
	Decode(source string, h http.Header, body []byte, receivedAt time.Time) (Decoded, error)
	// Traits says how this type of source wants to be spoken to.
	Traits() Traits
}

// Decoded is what a body became.
type Decoded struct {
	// Alerts holds at least one alert, each passing [alert.Alert.Validate],
	// unless there is Ignored.
	Alerts []alert.Alert
	// Refused are the body's other alerts, in their order: those that cannot be
	// used. The body goes into quarantine for them.
	Refused []RefusedAlert
	// Warnings are for a person: what was odd, yet could be read. At most a few
	// kilobytes together.
	Warnings []string
	// Ignored says why a sound body leaves nothing to do: it is a ping, a test, a
	// note. It is answered with 202, counted, and neither stored nor kept in
	// quarantine. It counts only if there are neither Alerts nor Refused.
	Ignored string
}

// RefusedAlert is an alert that cannot be used.
type RefusedAlert struct {
	// Index is its place among all alerts of the body, from 0.
	Index int
	// Reason says where in the body and what is wrong, in a sentence or less. To
	// bound memory, a decoder leaves it empty after the first few.
	Reason string
}

// Place returns where Alerts[i] was among all alerts of the body.
func (d Decoded) Place(i int) int {
	// Refused[k] has k refused and Index-k usable ones before it.
	before := sort.Search(len(d.Refused), func(k int) bool { return d.Refused[k].Index-k > i })
	return i + before
}

// Traits are a source type's habits in HTTP.
type Traits struct {
	// Methods are allowed beside POST.
	Methods []string
	// MediaTypes are accepted as Content-Type. A request without a Content-Type
	// is accepted too.
	MediaTypes []string
	// Headers are kept with a body in quarantine, beside Content-Type and
	// User-Agent, because a replay needs them: names, or prefixes such as Ce-*.
	// Never one that carries a secret: with a prefix, what looks like it is left out.
	Headers []string
	// UndecodableStatus answers a body that was put into quarantine: a 4xx, or
	// 202 for a sender that would stop sending after 4xx.
	UndecodableStatus int
}

// ErrTooLarge is wrapped by a Decoder's error when a body has more alerts than
// it can handle. It is answered with 413.
var ErrTooLarge = errors.New("too large")

// Source is one configured sender of webhooks.
type Source struct {
	// Name is the last element of the URL and the alerts' Source: letters,
	// digits, "-" and "_", 64 at most, because it also becomes one token of a
	// subject on the bus.
	Name    string
	Decoder Decoder
	// Auth lists what is accepted; any one passes, so that a credential can be
	// rotated. It must not be empty: see [Anonymous].
	Auth []Authenticator
	// Allow are the networks that requests may come from, beside what Auth asks;
	// none are all. Behind a proxy it needs Options.TrustedProxies.
	Allow []netip.Prefix
}

var sourceName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (s Source) validate() error {
	switch {
	case !sourceName.MatchString(s.Name):
		return fmt.Errorf("source %q: a name is 1 to 64 letters, digits, - and _", s.Name)
	case s.Decoder == nil:
		return fmt.Errorf("source %q: no decoder", s.Name)
	case len(s.Auth) == 0:
		return fmt.Errorf("source %q: no auth: name at least one credential, or Anonymous", s.Name)
	}
	for i, a := range s.Auth {
		if a == nil {
			return fmt.Errorf("source %q: auth %d is nil", s.Name, i)
		}
	}
	if err := validNetworks("Allow", s.Allow); err != nil {
		return fmt.Errorf("source %q: %w", s.Name, err)
	}
	t := s.Decoder.Traits()
	if err := checkKept(t.Headers); err != nil {
		return fmt.Errorf("source %q: %w", s.Name, err)
	}
	if t.UndecodableStatus != http.StatusAccepted && (t.UndecodableStatus < 400 || t.UndecodableStatus > 499) {
		return fmt.Errorf("source %q: its decoder answers undecodable bodies with %d: want 202 or a 4xx",
			s.Name, t.UndecodableStatus)
	}
	return nil
}
