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
	"time"
)

func main() { os.Exit(run()) }

func run() int {
	if o, yes, err := isChild(); yes {
		if err == nil {
			err = runChild(context.Background(), o)
		}
		return exit(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return exit(command(ctx, os.Args[1:], os.Stdout))
}

func exit(err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	default:
		fmt.Fprintln(os.Stderr, "crash:", err)
		return 1
	}
}

// command is the program but for its signals and its end.
func command(ctx context.Context, args []string, out io.Writer) (err error) {
	f := flag.NewFlagSet("crash", flag.ContinueOnError)
	kills := f.Int("kills", 20, "kills at each point")
	only := f.Int("only", 0, "of these, play only the one with this number")
	points := f.String("points", "", "comma-separated points, or random (default all)")
	parallel := f.Int("parallel", 4, "iterations at once; most of an iteration is waiting")
	seed := f.Uint64("seed", uint64(time.Now().UnixNano()), "what is chosen at random follows from it")
	verbose := f.Bool("v", false, "say each iteration")
	if err := f.Parse(args); err != nil {
		return fmt.Errorf("flags: %w", err)
	}
	if *kills < 1 || *parallel < 1 || f.NArg() > 0 {
		return fmt.Errorf("want -kills and -parallel of at least 1 and no arguments; have %d, %d and %q", *kills, *parallel, f.Args())
	}
	chosen, err := parsePoints(*points)
	if err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("this program: %w", err)
	}
	folder, err := os.MkdirTemp("", "paramedic-crash-")
	if err != nil {
		return fmt.Errorf("folder: %w", err)
	}
	defer func() { err = errors.Join(err, removeIfEmpty(folder)) }()
	st, err := newStage(ctx, program, folder, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.cluster.Stop()) }()
	c := &campaign{
		stage: st, points: chosen, kills: *kills, only: *only, parallel: *parallel, seed: *seed, out: out, verbose: *verbose,
	}
	return c.run(ctx)
}

// removeIfEmpty leaves what a violation left.
func removeIfEmpty(folder string) error {
	left, err := os.ReadDir(folder)
	if err != nil || len(left) > 0 {
		return err
	}
	return os.Remove(folder)
}
