package receiver

import "sync/atomic"

// budget bounds the bytes that all requests together may hold. Nobody waits
// for it: what does not fit is refused, since a waiting request would hold
// memory too.
type budget struct {
	limit int64
	used  atomic.Int64
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
	more := n - h.bytes
	// Taken first and given back if it was too much: two that grow at once may
	// both be refused, but never both be let through.
	if used := h.from.used.Add(more); more > 0 && used > h.from.limit {
		h.from.used.Add(-more)
		return false
	}
	h.bytes = n
	return true
}

// release gives everything back.
func (h *hold) release() { h.resize(0) }
