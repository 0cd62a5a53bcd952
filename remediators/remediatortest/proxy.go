package remediatortest

import (
	"sync"
	"testing"
)

// proxy stands between a remediator and its target, and fails on demand. What only
// reads passes.
type proxy interface {
	// end is where the remediator is to connect to.
	end() End
	// set makes the next request that changes something suffer f.
	set(f fault)
}

// newProxy starts one before the target. It ends with the test.
func newProxy(t *testing.T, subject Subject) proxy {
	t.Helper()
	if subject.Protocol == TCP {
		return newStreamProxy(t, subject)
	}
	return newHTTPProxy(t, subject)
}

// fault is what befalls a request that changes something; the zero value is none.
type fault struct {
	kind   faultKind
	answer Answer
	held   *held
}

type faultKind int

const (
	noFault faultKind = iota
	// loseRequest cuts the connection with the request on it.
	loseRequest
	// loseAnswer cuts the connection once the target has answered.
	loseAnswer
	// sendTwice is a middlebox that repeats a request and passes the second answer
	// on.
	sendTwice
	// answerInstead answers in the target's place.
	answerInstead
	// hold keeps the request until it is released, and forwards it then, although
	// the sender may have gone.
	hold
)

// held is a request that the proxy keeps.
type held struct {
	arrived, free, done chan struct{}
	once                sync.Once
}

func newHeld() *held {
	return &held{arrived: make(chan struct{}), free: make(chan struct{}), done: make(chan struct{})}
}

// release lets it go; again does nothing.
func (h *held) release() { h.once.Do(func() { close(h.free) }) }
