package golden_test

import (
	"path/filepath"
	"testing"

	"github.com/tripgen/paramedic/internal/golden"
)

// recorder takes the failures of a check.
type recorder struct {
	testing.TB
	failed, fatal bool
}

// stopped is what Fatalf panics with, as it must not return.
type stopped struct{}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }
func (r *recorder) Fatalf(string, ...any) { r.fatal = true; panic(stopped{}) }

func check(t *testing.T, update bool, file, got string) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	golden.Check(r, update, file, got)
	return r
}

func TestCheck(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.golden")
	if r := check(t, true, file, "one\n"); r.failed {
		t.Error("cannot write")
	}
	if r := check(t, false, file, "one\n"); r.failed {
		t.Error("what was written differs")
	}
	if r := check(t, false, file, "two\n"); !r.failed {
		t.Error("what differs is taken")
	}
}

// A file that is not there is not one that fits.
func TestNoFile(t *testing.T) {
	t.Parallel()
	r := &recorder{TB: t}
	defer func() {
		if p := recover(); p != any(stopped{}) || !r.fatal {
			t.Errorf("%v", p)
		}
	}()
	golden.Check(r, false, filepath.Join(t.TempDir(), "none.golden"), "")
}
