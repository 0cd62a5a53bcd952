// Command demo shows Paramedic at its main job on a real Kubernetes API server
// with a real Alertmanager, and tells the story as it happens:
//
//	go run ./internal/e2e/demo
//
// It needs Go only. The servers of package lab are built at the first start,
// which takes minutes. With -keep everything stays up for looking around. It
// exits with 0 only if the broken service was healed by exactly one restart and
// the ledger verifies.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	keep := flag.Bool("keep", false, "stay up after the story, until interrupted")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := play(ctx, os.Stdout, *keep)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// play brings everything up, tells the story, and takes everything down.
func play(ctx context.Context, out io.Writer, keep bool) (err error) {
	folder, err := os.MkdirTemp("", "paramedic-demo-")
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	s := &stage{out: out}
	defer func() { err = errors.Join(err, s.strike(), os.RemoveAll(folder)) }()
	if err := s.build(ctx, folder); err != nil {
		return err
	}
	if err := s.perform(ctx); err != nil {
		return err
	}
	if keep {
		s.say("Everything stays up. Paramedic: http://%s, Alertmanager: %s. Interrupt to end.", s.paramedic.Address, s.alertmanager.URL())
		<-ctx.Done()
	}
	return nil
}
