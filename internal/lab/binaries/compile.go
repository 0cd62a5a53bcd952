package binaries

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

func buildFlags() []string {
	return []string{"-trimpath", "-buildvcs=false"}
}

// build makes the bundle in a staging folder beside its place and moves it there. The caller holds the entry's lock.
func (s *Store) build(ctx context.Context, b Bundle, folder string) error {
	staging := folder + ".staging"
	if err := os.RemoveAll(staging); err != nil { // what a killed builder left
		return fmt.Errorf("clear staging: %w", err)
	}
	if err := os.Mkdir(staging, 0o750); err != nil {
		return fmt.Errorf("make staging: %w", err)
	}
	started := time.Now()
	if len(b.Programs) > 0 {
		s.say("building %s of %s; the first time takes minutes", strings.Join(sortedKeys(b.Programs), ", "), b.Module)
	}
	if err := s.fill(ctx, b, staging); err != nil {
		return errors.Join(err, os.RemoveAll(staging))
	}
	if err := publish(staging, folder); err != nil {
		return err
	}
	s.say("built %s in %s", folder, time.Since(started).Round(time.Second))
	return nil
}

func (s *Store) fill(ctx context.Context, b Bundle, staging string) error {
	version, err := s.module(ctx, b, "{{.Version}}")
	if err != nil {
		return err
	}
	flags, err := b.linkerFlags(version)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(b.Programs) {
		args := append([]string{"build"}, buildFlags()...)
		args = append(args, "-tags", strings.Join(b.tags, ","), "-ldflags", flags, "-o", filepath.Join(staging, name), b.Programs[name])
		if _, err := s.run(ctx, b, args...); err != nil {
			return err
		}
	}
	if len(b.Files) == 0 {
		return nil
	}
	if len(b.Programs) == 0 {
		// Only the module itself, and not the hundreds that building it would need.
		if _, err := s.run(ctx, b, "mod", "download", b.Module); err != nil {
			return err
		}
	}
	// Asked after the build, which has fetched the module: before, it may have no folder.
	source, err := s.module(ctx, b, "{{.Dir}}")
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(b.Files) {
		if err := joinDocuments(filepath.Join(staging, name), source, b.Files[name]); err != nil {
			return err
		}
	}
	return nil
}

// joinDocuments writes the files that match the patterns below source as one YAML stream.
func joinDocuments(target, source string, patterns []string) error {
	var joined bytes.Buffer
	for _, pattern := range patterns {
		names, err := filepath.Glob(filepath.Join(source, filepath.FromSlash(pattern)))
		if err != nil || len(names) == 0 {
			return fmt.Errorf("no file matches %s in %s (%w)", pattern, source, errors.Join(err, os.ErrNotExist))
		}
		for _, name := range names {
			document, err := os.ReadFile(name) //nolint:gosec // a file of a module that go.sum pins
			if err != nil {
				return fmt.Errorf("read: %w", err)
			}
			joined.WriteString("---\n")
			joined.Write(bytes.TrimSpace(document))
			joined.WriteByte('\n')
		}
	}
	if err := os.WriteFile(target, joined.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// module asks for one field of the bundle's main module.
func (s *Store) module(ctx context.Context, b Bundle, format string) (string, error) {
	out, err := s.run(ctx, b, "list", "-m", "-f", format, b.Module)
	return strings.TrimSpace(out), err
}

// run calls the go command in the bundle's module.
func (s *Store) run(ctx context.Context, b Bundle, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the arguments are this package's own
	cmd.Dir = filepath.Join(s.source, b.Name)
	// A fixed GOFLAGS, because what the user has set for the product, such as -mod=vendor, need not hold here.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly",
		"GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s in %s: %w\n%s", strings.Join(args, " "), cmd.Dir, err, stderr.String())
	}
	return stdout.String(), nil
}

// sourceFolder finds internal/lab/build. The compiler's record of this file's place is enough unless the paths were
// trimmed; then the go command is asked from the current folder.
func sourceFolder(ctx context.Context) (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		folder := filepath.Join(filepath.Dir(filepath.Dir(file)), "build")
		if _, err := os.Stat(filepath.Join(folder, "etcd", "go.mod")); err == nil {
			return folder, nil
		}
	}
	const self = "github.com/tripgen/paramedic/internal/lab/binaries"
	out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", self).Output()
	if err != nil {
		return "", fmt.Errorf("find the lab's sources with go list %s: %w; run inside the repository", self, err)
	}
	return filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), "build"), nil
}

func (s *Store) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.progress, "lab: "+format+"\n", args...) // progress is a courtesy; a build does not fail for it
}
