// Package redis holds what can be done about a Redis: clear keys, change how long
// they live, make a replica the primary or the other way round; and the prober that asks how it is. A target
// is an [Instance] of the configuration, by its name: one server, the primary that
// sentinels name, or all primaries of a cluster.
//
// Each call opens connections of its own, sends each command once and closes them.
// Until something that changes the data was sent, a failure is retryable; a server
// that answers with an error has not done what it was asked for; all else that goes
// wrong is in doubt.
//
//   - redis.clear unlinks the keys that match a pattern, so many a second, or flushes
//     a database if that is written. It is for caches: keys that are written while it
//     runs, or before it is done again after a crash, go too. Doing it twice does no
//     other harm, and it cannot be undone.
//   - redis.ttl multiplies how long keys live on. Each new end is an absolute time
//     that is only ever later (or only ever earlier) than the one that was read, so a
//     command that arrives late or twice changes nothing more. Doing all of it twice
//     would multiply twice, so after a crash the outcome is unknown.
//   - redis.promote makes a replica the primary, unless its primary is still there. A
//     Redis has nothing by which it would refuse a command that is out of date, so a
//     crash between the command and its answer leaves the outcome unknown.
//   - redis.replicate makes a server follow another primary, whose data take the place
//     of its own, as with an old primary that is there again. It asks for a word where
//     anything would be lost, and nothing can be undone; a crash is as with promote.
//
// Passwords are read for each connection and never shown. Redis 7 or newer is
// expected; source of the commands: https://redis.io/docs/latest/commands/
//
// Everything is safe for concurrent use. The tests run against real servers, which
// are killed, frozen and partitioned, and through the conformance suite's proxy.
package redis
