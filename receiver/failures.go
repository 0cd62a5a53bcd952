package receiver

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxOffenders bounds the addresses in each of the two halves of the table.
	// Beyond, those that failed longest ago are forgiven: this is a brake on
	// guessing, not a lock, and honest senders are not to be hurt by who has many
	// addresses.
	maxOffenders = 4096
	// tellEvery is how often the log hears of one address.
	tellEvery = time.Minute
)

// failures brakes the addresses whose attempts fail.
type failures struct {
	every rate.Limit
	burst int

	mu sync.Mutex
	// What is in neither has not failed. When recent is full it becomes older.
	recent, older map[netip.Addr]*offender
}

type offender struct {
	// left are the attempts that it may still fail. It can be below zero: many at
	// once are judged before the first has failed.
	left *rate.Limiter
	told time.Time
	// silent counts what was refused since, and not logged.
	silent int
}

// who is one client: of IPv6, whoever has one address has its /64.
func who(at netip.Addr) netip.Addr {
	if at.Is6() {
		if network, err := at.Prefix(64); err == nil {
			return network.Addr()
		}
	}
	return at
}

// tooMany reports whether the attempts of an address are not judged now, and
// whether the log should hear of it, with how many since the last time.
func (f *failures) tooMany(at netip.Addr, now time.Time) (yes, tell bool, silent int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.find(who(at))
	if o == nil || o.left.TokensAt(now) >= 1 {
		return false, false, 0
	}
	if !o.told.IsZero() && now.Sub(o.told) < tellEvery {
		o.silent++
		return true, false, 0
	}
	silent = o.silent
	o.told, o.silent = now, 0
	return true, true, silent
}

// failed counts one.
func (f *failures) failed(at netip.Addr, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := who(at)
	o := f.find(key)
	if o == nil {
		o = &offender{left: rate.NewLimiter(f.every, f.burst)}
	}
	if _, there := f.recent[key]; !there {
		if len(f.recent) >= maxOffenders || f.recent == nil {
			f.recent, f.older = make(map[netip.Addr]*offender), f.recent
		}
		f.recent[key] = o
	}
	// Many at once are paid off later, but not for ever: other senders may be
	// behind the same address.
	if o.left.TokensAt(now) > -float64(f.burst) {
		o.left.ReserveN(now, 1)
	}
}

func (f *failures) find(key netip.Addr) *offender {
	if o := f.recent[key]; o != nil {
		return o
	}
	return f.older[key]
}
