package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"time"
)

// keeper keeps one Paramedic running on one folder and one address: whenever it
// was killed, it starts it again, with the next kill that is planned.
type keeper struct {
	program  string
	dir      string
	listener *net.TCPListener
	kills    []kill

	mu      sync.Mutex
	current *process
	lives   int
	died    []kill
	failed  error
	ended   chan struct{} // closed when run has ended
	stop    chan struct{} // closed to ask for an orderly end
}

func newKeeper(program, dir string, listener *net.TCPListener, kills []kill) *keeper {
	return &keeper{
		program: program, dir: dir, listener: listener, kills: kills,
		ended: make(chan struct{}), stop: make(chan struct{}),
	}
}

// run lives one life after the other. It ends after stop was asked for, or when
// a life ends in a way that nobody wanted.
func (k *keeper) run() {
	defer close(k.ended)
	for {
		p, planned, err := k.next()
		if err != nil {
			k.fail(err)
			return
		}
		stopping := false
		select {
		case <-p.done:
		case <-k.stop:
			stopping = true
			err = p.end()
		}
		switch {
		case err != nil:
			k.fail(err)
			return
		case p.killed() && planned.Point != "":
			k.mu.Lock()
			k.died = append(k.died, planned)
			k.mu.Unlock()
		case stopping && p.err == nil:
			return
		default:
			k.fail(fmt.Errorf("life %d ended by itself: %v; see %s", k.lives, p.err, p.log)) //nolint:errorlint // nil is of interest too
			return
		}
		if stopping {
			return // killed on the way out: there was nothing left to do
		}
	}
}

func (k *keeper) next() (*process, kill, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var planned kill
	if k.lives < len(k.kills) {
		planned = k.kills[k.lives]
	}
	k.lives++
	o := order{Config: filepath.Join(k.dir, "paramedic.yaml"), Hits: filepath.Join(k.dir, "hits.json"), Kill: planned}
	var err error
	k.current, err = start(k.program, o, k.listener, filepath.Join(k.dir, fmt.Sprintf("life-%d.log", k.lives)))
	return k.current, planned, err
}

func (k *keeper) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.failed = err
}

// settle waits until a child says that it has decided everything that was
// accepted before, and that at least so many runs have ended and none is active.
func (k *keeper) settle(ctx context.Context, runs int) error {
	since := time.Now()
	var last status
	err := poll(ctx, pollEvery, func() (bool, error) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if k.failed != nil {
			return false, k.failed
		}
		if k.current == nil {
			return false, nil
		}
		var err error
		last, err = k.current.output.status()
		if err == nil && last.Parked > 0 {
			err = errors.New("a run waits for a person to say whether its action was applied")
		}
		return err == nil && last.At.After(since) && last.settled(runs), err
	})
	if err != nil {
		return fmt.Errorf("wait for %d runs to end (last seen: %+v): %w", runs, last, err)
	}
	return nil
}

// close asks for an orderly end and waits for it.
func (k *keeper) close() error {
	close(k.stop)
	<-k.ended
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failed
}
