package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// selection says which keys, and how fast.
type selection struct {
	Pattern string `json:"pattern"`
	All     bool   `json:"all"`
	Rate    int    `json:"rate"`
}

const (
	defaultRate = 1000
	maxRate     = 1_000_000
	// scanCount is how much a server looks at for one SCAN, and batch how many keys
	// are changed by one command.
	scanCount = 1000
	batch     = 100
	// sampleScans bounds what a plan looks at on each server: so many scans.
	sampleScans = 20
)

const selectionProperties = `
    "pattern": {"type": "string", "minLength": 1, "maxLength": 1024, "description": "Keys as SCAN's MATCH takes them, such as place:*. It must have a character that stands for itself; the whole database is all: true."},
    "all": {"type": "boolean", "description": "The whole database, instead of a pattern."},
    "rate": {"type": "integer", "minimum": 1, "maximum": 1000000, "default": 1000, "description": "Keys a second, on each server."}`

const selectionChoice = `"oneOf": [{"required": ["pattern"]}, {"required": ["all"], "properties": {"all": {"const": true}}}]`

func decode(t engine.Task, v any) error {
	raw := t.Params
	if len(raw) == 0 {
		raw = json.RawMessage(`{}`)
	}
	if err := remediators.DecodeParams(raw, v); err != nil {
		return remediators.Terminal("task %s: parameters of %s: %w", t.ID, t.Action, err)
	}
	return nil
}

func (s *selection) check() error {
	if s.Rate == 0 {
		s.Rate = defaultRate
	}
	switch {
	case s.All && s.Pattern != "":
		return errors.New("pattern and all exclude each other")
	case !s.All && !selective(s.Pattern):
		return fmt.Errorf("pattern %q names no key in particular: write one with a character that stands for itself, or all: true for the whole database", s.Pattern)
	case s.Rate < 1 || s.Rate > maxRate:
		return fmt.Errorf("rate: %d is not from 1 to %d keys a second", s.Rate, maxRate)
	}
	return nil
}

// selective says that a pattern has a character outside of brackets that stands for
// itself. Source of the patterns: stringmatchlen in Redis' util.c.
func selective(pattern string) bool {
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*', '?':
		case '[':
			end := strings.IndexByte(pattern[i:], ']')
			if end < 0 {
				return false
			}
			i += end
		case '\\':
			return i+1 < len(pattern)
		default:
			return true
		}
	}
	return false
}

// match is what SCAN is given.
func (s selection) match() string {
	if s.All {
		return "*"
	}
	return s.Pattern
}

// String is the keys for people.
func (s selection) String() string {
	if s.All {
		return "all keys"
	}
	return fmt.Sprintf("the keys that match %q", s.Pattern)
}

// amount is a number of keys by its size only: a cache never has the same number
// twice, and a plan with another one would be another plan.
func amount(n int64) string {
	size, unit := []string{"none", "fewer than ten", "tens", "hundreds", "thousands", "tens of thousands", "hundreds of thousands"}, 0
	for n > 0 && unit < len(size) {
		n, unit = n/10, unit+1
	}
	if n > 0 || unit == len(size) {
		return "millions or more"
	}
	return size[unit]
}

// estimate is about how many keys there are, from a sample. Whole says that all were
// looked at.
func (s selection) estimate(ctx context.Context, on []server) (n int64, whole bool, err error) {
	whole = true
	for _, one := range on {
		size, err := one.DBSize(ctx).Result()
		if err != nil {
			return 0, false, failed(one.address, err, false)
		}
		if s.All {
			n += size
			continue
		}
		var cursor uint64
		var found, looked int64
		for range sampleScans {
			var keys []string
			if keys, cursor, err = one.Scan(ctx, cursor, s.match(), scanCount).Result(); err != nil {
				return 0, false, failed(one.address, err, false)
			}
			found, looked = found+int64(len(keys)), looked+scanCount
			if cursor == 0 {
				break
			}
		}
		if cursor != 0 {
			whole, found = false, found*max(size, looked)/looked
		}
		n += found
	}
	return n, whole, nil
}

// each hands the keys of a server over, in batches, as fast as the rate allows. Some
// may be handed over twice, as SCAN may give them twice.
func (s selection) each(ctx context.Context, on server, now func() time.Time, do func(keys []string) error) error {
	begun, handed := now(), 0
	var cursor uint64
	for {
		keys, next, err := on.Scan(ctx, cursor, s.match(), scanCount).Result()
		if err != nil {
			return failed(on.address, err, false)
		}
		for len(keys) > 0 {
			n := min(len(keys), batch)
			if err := do(keys[:n]); err != nil {
				return err
			}
			keys, handed = keys[n:], handed+n
			due := begun.Add(time.Duration(handed) * time.Second / time.Duration(s.Rate))
			if err := pause(ctx, due.Sub(now())); err != nil {
				return remediators.Retryable(0, "redis %s: its time was up: give a higher rate, or the attempt a longer timeout: %w", on.address, err)
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}
