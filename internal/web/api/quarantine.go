package api

import "time"

// Quarantined is a body that could not be used, or not wholly, in brief.
type Quarantined struct {
	// ID is that of the delivery that it came as.
	ID     string `json:"id"`
	Source string `json:"source"`
	// ReceivedAt is when it had been read; zero if nobody knows.
	ReceivedAt time.Time `json:"receivedAt,omitzero"`
	// Reason says why it was kept. Of "refused m of n alerts: ..." the others were
	// accepted at the time.
	Reason string `json:"reason"`
	// Bytes is the body's size.
	Bytes int `json:"bytes"`
	// Sequence is its place: a list goes on behind it with after.
	Sequence uint64 `json:"sequence"`
}

// QuarantineList is a page of the quarantine.
type QuarantineList struct {
	Entries []Quarantined `json:"entries"`
	// Next is the after of the next page; 0 if this is the last one.
	Next uint64 `json:"next,omitempty"`
}

// QuarantineDetail is a body in quarantine, but for the body itself.
type QuarantineDetail struct {
	Quarantined
	// Headers are those of the request that were kept.
	Headers map[string]string `json:"headers"`
	// MissingHeaders names some that a replay may need and that were not kept as
	// they came.
	MissingHeaders string `json:"missingHeaders,omitempty"`
	// Incomplete says that a part of the body is missing, and why.
	Incomplete string `json:"incomplete,omitempty"`
}

// ReplayOutcome is what became of a body at a replay.
type ReplayOutcome string

// The outcomes. Only after the first two the body has left the quarantine.
const (
	// Replayed: its alerts are stored.
	Replayed ReplayOutcome = "replayed"
	// Ignored: it can be read, and there is nothing to do for it.
	Ignored ReplayOutcome = "ignored"
	// Refused: it still cannot be used, or not wholly.
	Refused ReplayOutcome = "refused"
	// Skipped: it is behind one of its source that was refused.
	Skipped ReplayOutcome = "skipped"
	// Absent: it is not in quarantine.
	Absent ReplayOutcome = "absent"
	// Failed: it is not certain what became of it. Nothing behind it was tried, and
	// it may be replayed again.
	Failed ReplayOutcome = "failed"
)

// ReplayRequest is the body of POST /api/v1/quarantine/replay. Exactly one of IDs,
// Source and All says what to replay. It is replayed from the oldest on. Of a
// source, nothing is replayed behind a body that is refused, unless Continue is set.
type ReplayRequest struct {
	IDs    []string `json:"ids,omitempty"`
	Source string   `json:"source,omitempty"`
	All    bool     `json:"all,omitempty"`
	// Continue goes on behind what is refused.
	Continue bool `json:"continue,omitempty"`
	// After and Stopped are the Next and Stopped of the answer that is followed up.
	After   uint64   `json:"after,omitempty"`
	Stopped []string `json:"stopped,omitempty"`
}

// Replay is the answer: what became of some, in their order.
type Replay struct {
	Entries []ReplayedEntry `json:"entries"`
	// Next is the After with which to go on; 0 if there is nothing left.
	Next uint64 `json:"next,omitempty"`
	// Stopped are the sources of which something was refused, and the rest skipped.
	Stopped []string `json:"stopped,omitempty"`
}

// ReplayedEntry is what became of one body.
type ReplayedEntry struct {
	ID      string        `json:"id"`
	Source  string        `json:"source,omitempty"`
	Outcome ReplayOutcome `json:"outcome"`
	// Alerts counts what was stored, or, where it was only tried, would be.
	Alerts int `json:"alerts,omitempty"`
	// Detail says why, and what to mend.
	Detail   string   `json:"detail,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// DropRequest is the body of POST /api/v1/quarantine/drop.
type DropRequest struct {
	// IDs are dropped, and nothing else: 1 at least.
	IDs []string `json:"ids"`
	// Reason is for the log, and must be given.
	Reason string `json:"reason"`
}

// Dropped is the answer.
type Dropped struct {
	Dropped []Quarantined `json:"dropped"`
	// Absent are the ids that are not in quarantine.
	Absent []string `json:"absent,omitempty"`
}
