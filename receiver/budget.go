package receiver

import "sync/atomic"

// budget bounds the bytes that all requests together may hold. Nobody waits
// for it: what does not fit is refused, since a waiting request would hold
// memory too.
type budget struct {
	limit int64
	used  atomic.Int64
	// whole is what this one is a part of, or nil.
	whole *budget
}

// take changes what is used by n bytes. It may fail to take more, and then
// changes nothing; giving back does not fail.
func (b *budget) take(n int64) bool {
	// Taken first and given back if it was too much: two that grow at once may
	// both be refused, but never both be let through.
	if used := b.used.Add(n); n > 0 && used > b.limit || b.whole != nil && !b.whole.take(n) {
		b.used.Add(-n)
		return false
	}
	return true
}

// hold is the share of one request. It belongs to one goroutine at a time.
type hold struct {
	from  *budget
	bytes int64
}

// hold takes n bytes, or reports that they are not there.
func (b *budget) hold(n int64) (*hold, bool) {
	h := &hold{from: b}
	ok := h.resize(n)
	return h, ok
}

// resize changes the share to n bytes. Growing may fail, and then changes
// nothing; shrinking does not fail.
func (h *hold) resize(n int64) bool {
	if !h.from.take(n - h.bytes) {
		return false
	}
	h.bytes = n
	return true
}

// leave makes the share one of the whole budget, so that it counts no more
// against the part.
func (h *hold) leave() {
	if h.from.whole != nil {
		h.from.used.Add(-h.bytes)
		h.from = h.from.whole
	}
}

// release gives everything back.
func (h *hold) release() { h.resize(0) }
