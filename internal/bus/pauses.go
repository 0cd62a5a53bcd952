package bus

import (
	"context"
	"fmt"
	"time"
)

// Pauses is the kill switch: scopes ("all", "rule/x", "target/...") under which
// nothing may be executed, each with a value that says who and why.
type Pauses struct{ kv bucket }

// Pauses gives access to the bucket PAUSES.
func (b *Bus) Pauses() *Pauses { return &Pauses{kv: b.bucket(streamPauses)} }

// Put pauses the scope, or replaces its value.
func (p *Pauses) Put(ctx context.Context, scope string, value []byte) error {
	if _, err := p.kv.put(ctx, scope, value, anyRevision, ""); err != nil {
		return fmt.Errorf("pause %s: %w", scope, err)
	}
	return nil
}

// Delete lifts the pause. Lifting one that is not there is no error.
func (p *Pauses) Delete(ctx context.Context, scope string) error {
	if _, err := p.kv.put(ctx, scope, nil, anyRevision, opDelete); err != nil {
		return fmt.Errorf("resume %s: %w", scope, err)
	}
	return nil
}

// List reads the pauses in force from the leader. Whoever cannot read them must
// not take that for "none".
func (p *Pauses) List(ctx context.Context) (map[string][]byte, error) {
	m, err := p.kv.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("list pauses: %w", err)
	}
	return m, nil
}

// Watch sends the pauses in force now and again after every change, until ctx
// or the Bus ends, when the channel is closed. Each map is whole and belongs to
// the receiver; one that was not taken yet is replaced by a newer one. While the
// bus is out of reach the last map stands: ask List right before acting.
func (p *Pauses) Watch(ctx context.Context) (<-chan map[string][]byte, error) {
	b := p.kv.b
	from, err := b.last(ctx, p.kv.stream)
	if err != nil {
		return nil, fmt.Errorf("watch pauses: %w", err)
	}
	now, err := p.List(ctx)
	if err != nil {
		return nil, err
	}
	r, err := b.reader(ctx, readerOptions{stream: p.kv.stream, from: from + 1, sparse: true})
	if err != nil {
		return nil, fmt.Errorf("watch pauses: %w", err)
	}
	out := make(chan map[string][]byte, 1)
	out <- now
	err = b.own(func() {
		defer close(out)
		defer r.Close()
		ctx, cancel := b.within(ctx)
		defer cancel()
		p.follow(ctx, r, out)
	})
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("watch pauses: %w", err)
	}
	return out, nil
}

// pauseRelist is how often the pauses are read even when nothing was heard.
const pauseRelist = 10 * time.Second

func (p *Pauses) follow(ctx context.Context, r *Reader, out chan map[string][]byte) {
	for wait := backoffMin; ; {
		err := p.heard(ctx, r)
		var now map[string][]byte
		if err == nil {
			now, err = p.List(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			p.kv.b.log.Warn("pauses could not be read; the last ones known stand", "error", err)
			if p.kv.b.pause(ctx, wait) != nil {
				return
			}
			wait = min(2*wait, backoffMax)
			continue
		}
		wait = backoffMin
		select { // only this goroutine sends, so after taking the old one there is room
		case <-out:
		default:
		}
		out <- now
	}
}

// heard waits for a change, or until it is time to look without one.
func (p *Pauses) heard(ctx context.Context, r *Reader) error {
	_, _, err := nextWithin(ctx, r, pauseRelist)
	return err
}
