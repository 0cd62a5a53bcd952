package receiver

import (
	"crypto/sha256"
	"net/http"
	"sync"
	"time"
)

// signatures are what one source has accepted, each until it would be refused
// anyway. It is this process's memory: after a restart, and at another replica, a
// replay is a repeat that the engine recognises.
type signatures struct {
	limit int

	mu   sync.Mutex
	seen map[[sha256.Size]byte]seen
	// soonest is when the first of them may be forgotten.
	soonest time.Time
	// forgotten is the latest end of what was: what ends by then may have been
	// accepted, whatever the clock says now.
	forgotten time.Time
}

type seen struct {
	until time.Time
	// accepted is false while the request is being handled.
	accepted bool
}

// claim is a request's hold on what it has shown, until its end is known.
type claim struct {
	on  *signatures
	key [sha256.Size]byte
}

// claim takes what a request has shown, if nobody has.
func (s *signatures) claim(o Once, now time.Time) (claim, *refusal) {
	if o == (Once{}) {
		return claim{}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before, there := s.seen[o.Key]
	if !there && len(s.seen) >= s.limit && now.After(s.soonest) {
		s.forget(now)
	}
	switch {
	case there && !before.accepted:
		return claim{}, doubt(reasonBusy, nil, "the same request is being handled; send again")
	case there || !o.Until.After(s.forgotten):
		f := refuse(http.StatusUnauthorized, ReasonReplayed, "this signature was accepted before; sign what is sent again anew")
		f.failed = true
		return claim{}, f
	case len(s.seen) >= s.limit:
		return claim{}, doubt(reasonSignatures, nil, "more signatures have to be remembered than can be; send again")
	}
	if s.seen == nil {
		s.seen = map[[sha256.Size]byte]seen{}
	}
	if len(s.seen) == 0 || o.Until.Before(s.soonest) {
		s.soonest = o.Until
	}
	s.seen[o.Key] = seen{until: o.Until}
	return claim{on: s, key: o.Key}, nil
}

// forget drops what is refused by its timestamp from now on.
func (s *signatures) forget(now time.Time) {
	// If all are being handled, it is not worth looking at each request.
	s.soonest = now.Add(time.Second)
	first := true
	for key, one := range s.seen {
		switch {
		case !one.accepted:
		case now.After(one.until):
			delete(s.seen, key)
			if one.until.After(s.forgotten) {
				s.forgotten = one.until
			}
		case first || one.until.Before(s.soonest):
			s.soonest, first = one.until, false
		}
	}
}

// end says whether the request was accepted. If not, what it has shown is good
// once more.
func (c claim) end(accepted bool) {
	if c.on == nil {
		return
	}
	c.on.mu.Lock()
	defer c.on.mu.Unlock()
	if !accepted {
		delete(c.on.seen, c.key)
		return
	}
	one := c.on.seen[c.key]
	one.accepted = true
	c.on.seen[c.key] = one
}
