//go:build unix

package binaries

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockFile takes an exclusive lock on the file, making it if need be, and returns what releases it. The kernel frees
// the lock when its holder dies, so a killed builder blocks nobody.
func lockFile(ctx context.Context, name string) (func(), error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // a path that the store has made
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	// Asked again and again rather than once and blocking, because a blocked flock does not heed a context.
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = file.Close() }, nil // closing is what releases; a failure has nobody to mend it
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return nil, errors.Join(fmt.Errorf("flock %s: %w", name, err), file.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("another process is building: %w", context.Cause(ctx)), file.Close())
		case <-ticker.C:
		}
	}
}
