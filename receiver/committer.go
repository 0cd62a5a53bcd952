package receiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// committer stores deliveries in groups. While one publish is in flight, what
// arrives queues up, and the next publish carries all of it as one message: one
// fsync for many requests. There is one publish at a time, so the order of the
// queue is the order of the stream.
type committer struct {
	// publish stores one message, durably when it returns nil. It must return
	// soon after its context ends.
	publish func(ctx context.Context, data []byte) error
	// observe is told the size of each group.
	observe func(deliveries int)
	// maxBytes bounds a message, maxGroup the deliveries in it (0: no bound).
	maxBytes, maxGroup int
	// timeout bounds a publish, patience the wait of one delivery.
	timeout, patience time.Duration

	// idle keeps entries that nobody else holds, with their channel and timer.
	idle sync.Pool

	mu     sync.RWMutex
	closed bool
	queue  chan *commit
	done   chan struct{}
	cancel context.CancelFunc
}

// commit is one delivery in the queue.
type commit struct {
	lines [][]byte
	size  int
	// result has room for the only value, so that the committer never waits.
	result chan error
	// patience is the timer of the one who waits.
	patience *time.Timer
	// release is called once the committer holds the lines no more.
	release func()
}

var (
	errQueueFull = errors.New("the queue to the bus is full")
	errClosed    = errors.New("the receiver is shutting down")
	errTooLong   = errors.New("its group was not stored in time")
)

// start runs the committer until close.
func (c *committer) start(queue int) {
	c.queue = make(chan *commit, queue)
	c.done = make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	go c.run(ctx)
}

// commit queues lines, each of maxBytes at most, and waits until they are
// stored (nil), or may not be. If ctx or its patience ends first the lines may be
// stored yet.
// release is called exactly once, possibly after commit has returned.
func (c *committer) commit(ctx context.Context, lines [][]byte, release func()) error {
	entry := c.entry()
	entry.lines, entry.size, entry.release = lines, 0, release
	for _, line := range lines {
		entry.size += len(line)
	}
	if err := c.enqueue(entry); err != nil {
		release()
		return err
	}
	entry.patience.Reset(c.patience)
	select {
	case err := <-entry.result:
		entry.patience.Stop()
		// Only here: until it has answered, the committer holds the entry.
		entry.lines, entry.release = nil, nil
		c.idle.Put(entry)
		return err
	case <-entry.patience.C:
		return errTooLong
	case <-ctx.Done():
		entry.patience.Stop()
		return fmt.Errorf("wait for the group's ack: %w", context.Cause(ctx))
	}
}

func (c *committer) entry() *commit {
	if entry, ok := c.idle.Get().(*commit); ok {
		return entry
	}
	timer := time.NewTimer(c.patience)
	timer.Stop()
	return &commit{result: make(chan error, 1), patience: timer}
}

func (c *committer) enqueue(entry *commit) error {
	// The lock keeps close from closing the channel under a sender.
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return errClosed
	}
	select {
	case c.queue <- entry:
		return nil
	default:
		return errQueueFull
	}
}

func (c *committer) run(ctx context.Context) {
	defer close(c.done)
	var group []*commit
	var next *commit
	for {
		if next == nil {
			var open bool
			if next, open = <-c.queue; !open {
				return
			}
		}
		group, next = c.gather(append(group[:0], next))
		c.observe(len(group))
		err := c.store(ctx, group)
		for _, entry := range group {
			entry.release()
			entry.result <- err
		}
		clear(group)
	}
}

// gather adds to the group what has queued up, as long as it fits into the same
// message, and returns the first that does not.
func (c *committer) gather(group []*commit) (full []*commit, next *commit) {
	size := group[0].size
	for c.maxGroup == 0 || len(group) < c.maxGroup {
		select {
		case entry, open := <-c.queue:
			switch {
			case !open:
				return group, nil
			case size+entry.size > c.maxBytes:
				return group, entry
			}
			group, size = append(group, entry), size+entry.size
		default:
			return group, nil
		}
	}
	return group, nil
}

// store publishes the group: as one message, or, if it is a single delivery of
// many parts, as several. An error leaves the later ones unpublished.
func (c *committer) store(ctx context.Context, group []*commit) error {
	size := 0
	for _, entry := range group {
		size += entry.size
	}
	message := make([]byte, 0, min(size, c.maxBytes))
	for _, entry := range group {
		for _, line := range entry.lines {
			if len(message)+len(line) > c.maxBytes {
				if err := c.publishOne(ctx, message); err != nil {
					return err
				}
				// A new one: a publisher that failed late may still read the old.
				message = make([]byte, 0, c.maxBytes)
			}
			message = append(message, line...)
		}
	}
	return c.publishOne(ctx, message)
}

func (c *committer) publishOne(ctx context.Context, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return c.publish(ctx, message)
}

// close refuses what comes from now on and stores what is queued. If ctx ends
// first, the rest fails. It returns when the committer has stopped.
func (c *committer) close(ctx context.Context) error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.queue)
	}
	c.mu.Unlock()
	defer c.cancel()
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
	}
	c.cancel()
	<-c.done
	return fmt.Errorf("the receiver's queue was not empty in time; what was left was answered with 503: %w", context.Cause(ctx))
}
