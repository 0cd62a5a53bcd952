package report

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// saveEvery bounds what is sent again after a crash.
const saveEvery = time.Second

// progress is how far a reporter came. It is saved as {"seq", "oldest"}: small, and without a copy of anything that the
// ledger says.
type progress struct {
	store Store
	key   string
	now   func() time.Time

	loaded bool
	seq    uint64 // all notices up to this record are delivered or dead
	oldest uint64 // where to begin reading, to know the runs that were under way at seq
	dirty  bool
	saved  time.Time
}

type savedProgress struct {
	Seq    uint64 `json:"seq"`
	Oldest uint64 `json:"oldest"`
}

// load finds out where to go on: where this process is, where an earlier one was, or, the first time of all, at the
// present end of the ledger.
func (p *progress) load(ctx context.Context, ledger Ledger) error {
	if p.loaded {
		return nil
	}
	value, err := p.store.Load(ctx, p.key)
	if err != nil {
		return fmt.Errorf("load how far reports came: %w", err)
	}
	if value != nil {
		var s savedProgress
		if err := json.Unmarshal(value, &s); err != nil {
			return fmt.Errorf("how far reports came (%q): %w", value, err)
		}
		p.seq, p.oldest, p.loaded = s.Seq, max(s.Oldest, 1), true
		p.saved = p.now()
		return nil
	}
	if p.seq, err = ledger.Last(ctx); err != nil {
		return fmt.Errorf("find the end of the ledger: %w", err)
	}
	p.oldest, p.dirty = 1, true
	// Before anything else, so that a crash does not begin at a later end.
	if err := p.save(ctx); err != nil {
		return err
	}
	p.loaded = true
	return nil
}

func (p *progress) advance(seq, oldest uint64) {
	p.seq, p.oldest, p.dirty = seq, oldest, true
}

func (p *progress) untilDue() time.Duration { return p.saved.Add(saveEvery).Sub(p.now()) }

func (p *progress) due() bool { return p.dirty && p.untilDue() <= 0 }

// save writes what has changed. After a failure it is due again a while later, not at once.
func (p *progress) save(ctx context.Context) error {
	if !p.dirty {
		return nil
	}
	p.saved = p.now()
	value, err := json.Marshal(savedProgress{Seq: p.seq, Oldest: p.oldest})
	if err != nil {
		return fmt.Errorf("encode how far reports came: %w", err)
	}
	if err := p.store.Save(ctx, p.key, value); err != nil {
		return fmt.Errorf("save how far reports came: %w", err)
	}
	p.dirty = false
	return nil
}
