// Command build makes the servers of the lab and prints where they are. The tests build what they miss by
// themselves; calling this first keeps those minutes out of their time limits.
//
//	go run ./internal/lab/build
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/tripgen/paramedic/internal/lab/binaries"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "build the lab:", err) // nobody is left to tell if standard error is gone
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	store, err := binaries.Open(ctx, os.Stderr)
	if err != nil {
		return fmt.Errorf("open the cache: %w", err)
	}
	for _, bundle := range binaries.All() {
		folder, err := store.Ensure(ctx, bundle)
		if err != nil {
			return fmt.Errorf("build: %w", err)
		}
		names, err := filepath.Glob(filepath.Join(folder, "*"))
		if err != nil {
			return fmt.Errorf("list %s: %w", folder, err)
		}
		for _, name := range names {
			if _, err := fmt.Println(name); err != nil {
				return fmt.Errorf("print: %w", err)
			}
		}
	}
	program, err := store.EnsureRedis(ctx)
	if err != nil {
		return err
	}
	if _, err := fmt.Println(program); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
