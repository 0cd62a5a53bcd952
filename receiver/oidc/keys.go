package oidc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/tripgen/paramedic/receiver"
)

const (
	// keysAge is when keys are fetched again without a reason: one that has been
	// withdrawn is not accepted for longer, if the issuer can be reached.
	keysAge = time.Hour
	// tryEvery is how often they are fetched at most, and tryOftener if there are
	// none: then nothing can be judged.
	tryEvery   = time.Minute
	tryOftener = 5 * time.Second
	// fetchTimeout bounds one fetch, as senders wait for it, some for 5 s.
	fetchTimeout = 4 * time.Second
)

// keys are an issuer's, fetched when they are needed.
type keys struct {
	fetch func(ctx context.Context) ([]jose.JSONWebKey, error)
	now   func() time.Time
	log   *slog.Logger

	mu   sync.Mutex
	have *keySet
	// tried is when the last fetch ended, failure how, and running is closed when
	// the one ends that is going on.
	tried   time.Time
	failure error
	running chan struct{}
}

// keySet is what one fetch has brought. nil has nothing.
type keySet struct {
	keys []jose.JSONWebKey
	at   time.Time
}

func newKeys(o Options) *keys {
	f := newFetcher(o)
	return &keys{fetch: f.fetch, now: o.Now, log: o.Log}
}

// verify returns what is signed. If it cannot tell, its error is no Denial.
func (k *keys) verify(ctx context.Context, signed *jose.JSONWebSignature) ([]byte, error) {
	k.mu.Lock()
	set := k.have
	old := set != nil && k.now().Sub(set.at) > keysAge && k.running == nil
	k.mu.Unlock()
	if old {
		// One request waits, the others go on with what is there; as this one does
		// if it fails.
		if newer, err := k.renew(ctx, set); err == nil {
			set = newer
		}
	}
	for {
		payload, known := set.try(signed)
		if payload != nil {
			return payload, nil
		}
		// The key may be new, or be another by now.
		newer, err := k.renew(ctx, set)
		kid := signed.Signatures[0].Protected.KeyID
		switch {
		case newer != set:
			set = newer
		case known:
			return nil, deny(receiver.ReasonToken, "it is not signed by the key that it names, %.100q", kid)
		case err != nil:
			return nil, fmt.Errorf("the issuer's keys cannot be had: %w", err)
		default:
			return nil, deny(receiver.ReasonTokenKey, "the issuer has no key %.100q for it; keys of %s", kid, set.at.UTC().Format(time.RFC3339))
		}
	}
}

// try tries the keys that the token may mean, and reports whether there are any.
func (s *keySet) try(signed *jose.JSONWebSignature) (payload []byte, known bool) {
	if s == nil {
		return nil, false
	}
	header := signed.Signatures[0].Protected
	for _, key := range s.keys {
		if header.KeyID != "" && header.KeyID != key.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		known = true
		if payload, err := signed.Verify(key.Key); err == nil {
			return payload, true
		}
	}
	return nil, known
}

// due reports whether a fetch would not be one too many.
func (k *keys) due(now time.Time) bool {
	every := tryEvery
	if k.have == nil {
		every = tryOftener
	}
	since := now.Sub(k.tried)
	return k.tried.IsZero() || since >= every || since < 0 // a clock that was put back
}

// renew returns a newer set than old, fetched by whoever comes first, or old if
// there is none. The error is how the last fetch went.
func (k *keys) renew(ctx context.Context, old *keySet) (*keySet, error) {
	k.mu.Lock()
	running := k.running
	switch {
	case k.have != old || running == nil && !k.due(k.now()):
		defer k.mu.Unlock()
		return k.have, k.failure
	case running == nil:
		running = make(chan struct{})
		k.running = running
		k.mu.Unlock()
		k.fetchFor(ctx, old, running)
	default:
		k.mu.Unlock()
		select {
		case <-running:
		case <-ctx.Done():
			return old, fmt.Errorf("wait for another request's fetch: %w", context.Cause(ctx))
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.have, k.failure
}

// fetchFor fetches for all that wait for done, even if the request that does it
// goes away.
func (k *keys) fetchFor(ctx context.Context, old *keySet, done chan<- struct{}) {
	var fetched []jose.JSONWebKey
	err := errors.New("the fetch did not end") // unless a panic is on its way
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.tried, k.failure, k.running = k.now(), err, nil
		if err == nil {
			k.have = &keySet{keys: fetched, at: k.tried}
		}
		close(done)
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	fetched, err = k.fetch(ctx)
	if err != nil && old != nil {
		k.log.LogAttrs(ctx, slog.LevelWarn, "an issuer's keys could not be fetched again; the old ones stay in use",
			slog.Time("fetched", old.at), slog.Any("error", err))
	}
}
