// Package binaries builds the real servers that the lab runs and keeps them in a cache outside the tree.
//
// Each [Bundle] is one nested module below internal/lab/build. It pins, by its own go.mod and go.sum, what is built,
// so that neither the servers' dependencies nor their replace directives reach the product's go.mod. Nothing is
// downloaded but Go modules, and a build needs no C compiler.
//
// A bundle without programs is fetched, not built: of its module the files are wanted, such as
// CustomResourceDefinitions.
//
// A bundle is stored under a name that holds a hash of everything that decides its content: go.mod, go.sum, the
// recipe, the platform and the Go version. A changed pin is another entry; an entry, once there, never changes, and
// appears by one rename, so a reader sees it whole or not at all. Entries of older pins stay until somebody deletes
// the cache, which is always safe while no lab is running.
//
// The cache is $PARAMEDIC_LAB_CACHE, or paramedic-lab in the user's cache directory.
//
// Redis is the exception: see [Store.EnsureRedis].
//
// Concurrency: a [Store] may be used by many goroutines and many processes; builders of one entry are serialised by
// a lock on a file, which the kernel releases if the holder dies.
package binaries
