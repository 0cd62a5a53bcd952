package binaries

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Redis is written in C, and the Go module proxy does not have it. It comes from the distribution's own archive, by
// apt-get, but is not installed: the packages that this machine lacks are fetched and unpacked below the cache, which
// needs no privilege and leaves the system as it is.

// RedisServer is the name of the program that EnsureRedis gives.
const RedisServer = "redis-server"

// redisRecipe changes whenever what fetchRedis makes does.
const redisRecipe = "1"

// EnsureRedis returns the path of redis-server: the one on PATH if there is one, or else one of the distribution's,
// fetched first if need be.
func (s *Store) EnsureRedis(ctx context.Context) (string, error) {
	if path, err := exec.LookPath(RedisServer); err == nil {
		return path, nil
	}
	system, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", errors.Join(errNoRedis, err)
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%s %s/%s\n%s", redisRecipe, runtime.GOOS, runtime.GOARCH, system))
	folder := filepath.Join(s.root, "redis-"+hex.EncodeToString(key[:8]))
	program := filepath.Join(folder, RedisServer)
	if runs(ctx, program) == nil {
		return program, nil
	}
	unlock, err := lockFile(ctx, folder+".lock")
	if err != nil {
		return "", fmt.Errorf("lab: redis: lock: %w", err)
	}
	defer unlock()
	if runs(ctx, program) == nil {
		return program, nil
	}
	if err := s.fetchRedis(ctx, folder); err != nil {
		return "", fmt.Errorf("%w: %w", errNoRedis, err)
	}
	return program, nil
}

var errNoRedis = errors.New("there is no redis-server on PATH, and apt-get, which `make lab` would fetch one with, fails: install Redis 7 or newer")

// runs tries the program, since a file that is there may lack a library.
func runs(ctx context.Context, program string) error {
	said, err := exec.CommandContext(ctx, program, "--version").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s --version: %w\n%s", program, err, said)
	}
	return nil
}

// fetchRedis fetches and unpacks the packages beside the entry's place and moves them there.
func (s *Store) fetchRedis(ctx context.Context, folder string) error {
	staging := folder + ".staging"
	if err := os.RemoveAll(staging); err != nil { // what a killed one left
		return fmt.Errorf("clear staging: %w", err)
	}
	s.say("fetching redis-server from the distribution's archive")
	if err := unpackRedis(ctx, staging); err != nil {
		return errors.Join(err, os.RemoveAll(staging))
	}
	if err := publish(staging, folder); err != nil {
		return err
	}
	s.say("unpacked %s", folder)
	return nil
}

func unpackRedis(ctx context.Context, staging string) error {
	lists, archives := filepath.Join(staging, "lists"), filepath.Join(staging, "cache", "archives")
	for _, folder := range []string{filepath.Join(lists, "partial"), filepath.Join(archives, "partial")} {
		if err := os.MkdirAll(folder, 0o750); err != nil {
			return fmt.Errorf("make staging: %w", err)
		}
	}
	// Lists and archives of its own, so that it needs no privilege and knows what the archive has today.
	apt := []string{
		"-qq", "-o", "Dir::State::lists=" + lists, "-o", "Dir::Cache=" + filepath.Join(staging, "cache"),
		"-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=",
	}
	if err := command(ctx, "apt-get", append(apt, "update")...); err != nil {
		return err
	}
	if err := command(ctx, "apt-get", append(apt, "install", "--download-only", "--yes", "--no-install-recommends", RedisServer)...); err != nil {
		return err
	}
	packages, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil || len(packages) == 0 {
		return fmt.Errorf("apt-get fetched nothing (%w): it takes %s for installed, but it is not on PATH", errors.Join(err, os.ErrNotExist), RedisServer)
	}
	for _, one := range packages {
		if err := command(ctx, "dpkg-deb", "-x", one, filepath.Join(staging, "root")); err != nil {
			return err
		}
	}
	for _, done := range []string{lists, filepath.Join(staging, "cache")} {
		if err := os.RemoveAll(done); err != nil {
			return fmt.Errorf("clear staging: %w", err)
		}
	}
	return wrapRedis(ctx, staging)
}

// wrapRedis writes what starts the program with the libraries that were fetched with it.
func wrapRedis(ctx context.Context, staging string) error {
	const script = `#!/bin/sh
here=$(dirname "$0")/root
LD_LIBRARY_PATH=$(echo "$here"/usr/lib/*-linux-gnu* "$here"/lib/*-linux-gnu* | tr ' ' ':')
export LD_LIBRARY_PATH
exec "$here/usr/bin/redis-server" "$@"
`
	program := filepath.Join(staging, RedisServer)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil { //nolint:gosec // a program is to be run
		return fmt.Errorf("write: %w", err)
	}
	return runs(ctx, program)
}

func command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the arguments are this package's own
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, said.String())
	}
	return nil
}
