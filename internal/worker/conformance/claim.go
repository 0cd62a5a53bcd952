package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
)

// claim is what is demanded of a claim.
type claim struct {
	State  string         `json:"state"`
	Worker string         `json:"worker"`
	Result *engine.Result `json:"result"`
}

func (s *stand) claimOf(ctx context.Context, t engine.Task) (claim, error) {
	value, _, err := s.hub.Claims(s.Group).Get(ctx, t.ID)
	if err != nil {
		return claim{}, fmt.Errorf("claim of %s: %w", t.ID, err)
	}
	var c claim
	if err := json.Unmarshal(value, &c); err != nil {
		return claim{}, fmt.Errorf("claim of %s: %w", t.ID, err)
	}
	return c, nil
}

// settled demands that the claim of a task says how it ended.
func (s *stand) settled(ctx context.Context, t engine.Task, r engine.Result) error {
	c, err := s.claimOf(ctx, t)
	switch {
	case err != nil:
		return err
	case c.State != "done" || c.Result == nil:
		return fmt.Errorf("its claim is in state %q, want done, with the result", c.State)
	case c.Worker == "":
		return errors.New("its claim does not say whose it is")
	case !same(*c.Result, r):
		return fmt.Errorf("its claim has another result than it answered: %+v and %+v", *c.Result, r)
	}
	return nil
}

// changed demands that a task has changed the target so often, where that can be
// counted.
func (s *stand) changed(t engine.Task, want int) error {
	if s.Effects == "" {
		return nil
	}
	n, err := s.count(t.ID)
	if err == nil && n != want {
		err = fmt.Errorf("it changed the target %d times, want %d", n, want)
	}
	return err
}

// count is how often a text is in the file or folder of effects.
func (s *stand) count(text string) (int, error) {
	n := 0
	err := filepath.WalkDir(s.Effects, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path) //nolint:gosec // named by whoever tries the worker
		n += strings.Count(string(content), text)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil // nothing was changed yet
	}
	if err != nil {
		return 0, fmt.Errorf("count the changes: %w", err)
	}
	return n, nil
}
