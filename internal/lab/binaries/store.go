package binaries

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// CacheVariable names the environment variable that moves the cache.
const CacheVariable = "PARAMEDIC_LAB_CACHE"

// Store is the cache of built bundles.
type Store struct {
	root     string
	source   string
	progress io.Writer
}

// Open finds the cache and the nested modules. Lines about builds, which take minutes, go to progress; nil discards
// them. Nothing is built yet.
func Open(ctx context.Context, progress io.Writer) (*Store, error) {
	if progress == nil {
		progress = io.Discard
	}
	source, err := sourceFolder(ctx)
	if err != nil {
		return nil, err
	}
	root := os.Getenv(CacheVariable)
	if root == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("lab cache: %w; set %s to a folder", err, CacheVariable)
		}
		root = filepath.Join(user, "paramedic-lab")
	}
	if root, err = filepath.Abs(root); err != nil {
		return nil, fmt.Errorf("lab cache: %w", err)
	}
	if err := os.MkdirAll(root, 0o750); err != nil {
		return nil, fmt.Errorf("lab cache: %w", err)
	}
	return &Store{root: root, source: source, progress: progress}, nil
}

// Ensure returns the folder that holds the bundle's programs and files, building them first if they are missing. It
// waits while another process builds the same.
func (s *Store) Ensure(ctx context.Context, b Bundle) (string, error) {
	key, err := s.key(b)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(s.root, b.Name+"-"+key)
	if complete(folder, b) {
		return folder, nil
	}
	unlock, err := lockFile(ctx, folder+".lock")
	if err != nil {
		return "", fmt.Errorf("lab bundle %s: lock: %w", b.Name, err)
	}
	defer unlock()
	if complete(folder, b) {
		return folder, nil
	}
	if err := s.build(ctx, b, folder); err != nil {
		return "", fmt.Errorf("lab bundle %s: %w", b.Name, err)
	}
	return folder, nil
}

// key hashes everything that decides what the bundle's build would give.
func (s *Store) key(b Bundle) (string, error) {
	hash := sha256.New()
	// fmt prints maps in order of their keys, so the recipe has one text.
	_, _ = fmt.Fprintf(hash, "%+v\n%s/%s %s\n%v\n", b, runtime.GOOS, runtime.GOARCH, runtime.Version(), buildFlags()) // a hash never fails to write
	for _, name := range []string{"go.mod", "go.sum"} {
		content, err := os.ReadFile(filepath.Join(s.source, b.Name, name)) //nolint:gosec // a file of this repository
		if err != nil {
			return "", fmt.Errorf("lab bundle %s: %w", b.Name, err)
		}
		_, _ = fmt.Fprintf(hash, "%s %d\n%s", name, len(content), content)
	}
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

func complete(folder string, b Bundle) bool {
	for _, name := range append(sortedKeys(b.Programs), sortedKeys(b.Files)...) {
		if info, err := os.Stat(filepath.Join(folder, name)); err != nil || !info.Mode().IsRegular() {
			return false
		}
	}
	return true
}

// publish puts the finished staging folder in place. A folder that is there but not complete was damaged from
// outside and goes first.
func publish(staging, folder string) error {
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("remove damaged entry: %w", err)
	}
	if err := os.Rename(staging, folder); err != nil {
		return fmt.Errorf("publish entry: %w", err)
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
