// Package bus holds Paramedic's durable streams on NATS JetStream: what came in
// (INBOX), what was concluded (LEDGER), what is to be done (WORK), what could
// not be done or read (DEAD, QUARANTINE), and the small shared facts beside
// them (claims, pauses, the leader lease, snapshots).
//
// # Use
//
// [Open] either starts a server inside this process, which keeps its store in a
// directory and has no network listener, or connects to a cluster. The streams
// are the same and nobody above can tell the two apart. [Bus.Close] comes last
// in a shutdown, after everybody who publishes.
//
// # What is promised
//
// A publish that returns nil is stored: synced to disk on the embedded server,
// agreed by a quorum on a cluster. A publish that fails may be stored all the
// same; [PublishError] says so in Ambiguous, and every message carries an
// operation id by which its reader recognises a repeat. The server's own
// deduplication covers a short window only and is never relied upon.
//
// [Bus.AppendLedger] is stronger: a record is appended exactly behind the
// record that the caller had seen, or not at all, and whether it was appended
// is found out by reading the sequence in question from the stream's leader.
// Everything that decides reads from the leader (direct gets are off), and
// even that is only advice: the compare-and-swap at the write decides.
//
// A [Reader] yields a stream's messages in order, each once, and repairs a
// broken consumer by itself. The end of a stream is its last sequence
// ([Bus.LedgerLast], [Bus.InboxLast]), never the moment nothing more arrives.
//
// # Concurrency
//
// A Bus and everything obtained from it may be used from many goroutines, but
// a Reader belongs to one. Goroutines are owned by the Bus or by a Lease, and
// Close waits for them.
//
// # Testing
//
// The tests run real servers: the embedded one in a temporary directory, and
// clusters of three on the loopback interface. There is no fake bus; a test
// elsewhere opens an embedded one, which takes some ten milliseconds.
package bus
