//go:build linux || darwin

package bus

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// diskFree is what an unprivileged process may still write at path, in bytes.
func diskFree(path string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, fmt.Errorf("statfs %s: %w", path, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:gosec,unconvert // a disk beyond 2^63 bytes does not exist; the types differ between systems
}

// lockDir takes the lock that keeps a second process off the same store, which
// the server itself does not check. It is released when the file is closed,
// also by a crash.
func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator's own directory
	if err != nil {
		return nil, fmt.Errorf("lock the store: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock %s: %w: another process is using this store directory; stop it, or choose another directory", path, err)
	}
	return f, nil
}
