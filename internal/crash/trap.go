package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
)

// trap counts the passings of the named points, and ends the process at one.
type trap struct {
	hits map[string]*atomic.Int64
	kill kill
}

func newTrap(k kill) *trap {
	t := &trap{hits: map[string]*atomic.Int64{}, kill: k}
	for _, p := range namedPoints() {
		t.hits[p] = &atomic.Int64{}
	}
	return t
}

// pass is the hook. It does not return from the fatal passing: no instruction
// after the point is to run, on this goroutine at least.
func (t *trap) pass(point string) {
	counter, known := t.hits[point]
	if !known || counter.Add(1) != t.kill.Nth || point != t.kill.Point {
		return
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic(fmt.Sprintf("kill: %v", err))
	}
	select {}
}

// write leaves the counts in a file.
func (t *trap) write(path string) error {
	counts := map[string]int64{}
	for p, n := range t.hits {
		counts[p] = n.Load()
	}
	b, err := json.Marshal(counts)
	if err != nil {
		return fmt.Errorf("counts: %w", err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		return fmt.Errorf("counts: %w", err)
	}
	return nil
}
