//go:build !linux

package exec

import (
	"context"
	"errors"
)

// run refuses: without Linux's parent-death signal a command would outlive its
// worker, and its time would not be bounded.
func (call) run(context.Context) (ended, error) {
	return ended{}, errors.New("commands are run on Linux only: run this worker there")
}
