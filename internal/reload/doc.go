// Package reload notices that rule files have changed, and hands the new ones on.
//
// A [Watcher] reads all files again and again and compares what they say. It
// trusts no notification and no modification time, so that it works where rules
// are a Kubernetes ConfigMap (whose files are links through ..data, which is
// renamed), on network file systems, and with editors that rename. Patterns are
// expanded at every look: a new file counts, and so does a missing one.
//
// What has changed must read the same at two looks, a moment apart, before it
// is handed on: whoever is writing, or swapping one of several files, is given
// the time to end. A set that is refused, because it does not compile, has no
// rule, or cannot be read, changes nothing: the rules before stay. That is logged
// once for each change, counted, and in [Watcher.Status] until it is mended.
//
// Use: New with the rules that the process began with, then Run. Everything that
// decides is in judge, which does no I/O.
//
// Concurrency: Run owns the watching; Status may be called by anybody.
//
// Testing: files are real, time is that of testing/synctest.
package reload
