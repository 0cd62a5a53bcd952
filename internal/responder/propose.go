package responder

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
)

// Reload has this process want other rules in force, and returns their digest.
// It neither waits nor publishes: whoever leads puts what it wants into INBOX, if
// that is not in force, and a follower once it leads. Runs go on under the rules
// that they began with.
//
// Sources that do not compile, are not admitted or are larger than one message
// of INBOX are refused whole: the error says why, and what was wanted before
// still is.
func (r *Responder) Reload(sources []engine.Source) (digest string, err error) {
	set, err := r.accept(sources)
	if err != nil {
		return "", err
	}
	r.sets.want(set)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = &engine.NewRules{Digest: set.Digest(), Sources: sources}
	r.wake()
	return set.Digest(), nil
}

// accept compiles rules that this process is given and finds out whether they
// could be put in force.
func (r *Responder) accept(sources []engine.Source) (engine.RuleSet, error) {
	set, err := r.Admit(sources)
	if err != nil {
		return nil, err
	}
	// In the ledger they are within a record, so the same share of a message is
	// left for that as in a decision.
	line, err := json.Marshal(engine.Input{Rules: &engine.NewRules{Digest: set.Digest(), Sources: sources}})
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if most := r.Bus.MaxMessage() / 4 * 3; len(line) > most {
		return nil, fmt.Errorf("rules: as one message they are %d bytes, and the bus takes %d: make them smaller, or raise max_payload of the NATS server to %d or more",
			len(line), most, len(line)/3*4+headroom)
	}
	return set, nil
}

// headroom is what the bus keeps of a message for headers, rounded up well.
const headroom = 64 << 10

// wake has the leader compare what it wants with what is in force. The caller
// holds mu.
func (r *Responder) wake() {
	select {
	case r.compare <- struct{}{}:
	default: // it will
	}
}

// proposal is a rule set on its way: in INBOX, and not decided yet.
type proposal struct {
	digest string
	inbox  uint64
}

// propose puts the wanted rules into INBOX unless they are in force, or will be
// once what lies in INBOX is decided.
func (r *Responder) propose(ctx context.Context, last proposal) (proposal, error) {
	r.mu.RLock()
	wanted, next := r.rules, r.fold.State.RuleSet
	if r.fold.State.Inbox < last.inbox {
		next = last.digest
	}
	r.mu.RUnlock()
	if wanted == nil || wanted.Digest == next {
		return last, nil
	}
	seq, err := r.Submit(ctx, "rules", engine.Input{Rules: wanted})
	if err != nil {
		return last, err
	}
	r.Logger.Info("new rules are in INBOX", "digest", wanted.Digest, "files", len(wanted.Sources), "inbox", seq)
	return proposal{wanted.Digest, seq}, nil
}

// proposeAll proposes whenever the wanted rules or those in force change, until
// ctx ends. A leader before may have left a proposal of its own in INBOX: once
// that is in force, it is answered with ours.
func (r *Responder) proposeAll(ctx context.Context, last proposal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.compare:
		}
		for {
			next, err := r.propose(ctx, last)
			if err == nil {
				last = next
				break
			}
			if ctx.Err() != nil {
				return
			}
			r.Logger.Warn("new rules are not in INBOX yet; trying again", "error", err)
			pause(ctx, again)
		}
	}
}
