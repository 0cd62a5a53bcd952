// Package access writes what lets a hub and the workers of each group onto a NATS
// server, and lets each do its part only.
//
// # Use
//
// [Open] reads the state of a folder, or begins one; Add, Rotate, Retire and
// Remove change it; Save writes the accounts for the server's configuration, the
// state, and the seeds of keys that are new. There is no secret in the accounts
// and the state: they hold public NKeys.
//
// # What is promised
//
// The hub and every group have an account of their own, and a group's account
// sees of the hub's only the [Rights] of that group. Permissions within one
// account would not do: the answer to a request goes to whatever subject the
// request names, so that whoever may ask the bus anything could have it publish
// to the ledger or the kill switch; and all share one space of inboxes. Between
// accounts the server makes up the reply's subject by itself. Within its account
// a user is allowed the same subjects once more, so that a denial is an error and
// no silence.
//
// # Concurrency
//
// One process at a time may work on a folder; an Access belongs to one goroutine.
//
// # Testing
//
// The tests run a real NATS server on what is written, and try, as one group,
// everything that only the hub or another group may do.
package access
