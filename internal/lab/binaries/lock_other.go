//go:build !unix

package binaries

import (
	"context"
	"errors"
	"fmt"
)

// lockFile refuses: the lab's servers run on Unix only.
func lockFile(_ context.Context, name string) (func(), error) {
	return nil, fmt.Errorf("lock %s: the lab needs Linux or another Unix: %w", name, errors.ErrUnsupported)
}
