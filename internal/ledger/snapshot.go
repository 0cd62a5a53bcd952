package ledger

import (
	"encoding/json"
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
)

// SnapshotVersion changes with the state: an older snapshot is not read, and
// the ledger folded from its beginning instead.
const SnapshotVersion = 1

type snapshot struct {
	Version int           `json:"v"`
	Seq     uint64        `json:"seq"`
	Head    string        `json:"head"`
	State   *engine.State `json:"state"`
}

// Snapshot encodes the fold as it stands.
func (f *Fold) Snapshot() ([]byte, error) {
	b, err := json.Marshal(snapshot{Version: SnapshotVersion, Seq: f.Seq, Head: f.Head, State: f.State})
	if err != nil {
		return nil, fmt.Errorf("snapshot at ledger sequence %d: %w", f.Seq, err)
	}
	return b, nil
}

// FromSnapshot goes on from a snapshot. The caller compares Head with the hash
// of the record that stands at Seq before it trusts the fold.
func FromSnapshot(data []byte) (*Fold, error) {
	var s snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	if s.Version != SnapshotVersion {
		return nil, fmt.Errorf("snapshot has version %d, this build reads %d", s.Version, SnapshotVersion)
	}
	if s.State == nil {
		return nil, fmt.Errorf("snapshot at ledger sequence %d has no state", s.Seq)
	}
	s.State.Reindex()
	return &Fold{State: s.State, Seq: s.Seq, Head: s.Head, decoder: NewDecoder()}, nil
}
