package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tripgen/paramedic/internal/demo"
)

func newDemoCmd() *cobra.Command {
	var keep, verbose bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole loop on this machine",
		Long: `Starts sample services that really break, a monitor that notices, and Paramedic
with an embedded bus; breaks the services; and shows how each is mended, or held
by a budget. Needs nothing but this binary. Exit code 0 only if everything was
really healed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			dir, err := os.MkdirTemp("", "paramedic-demo-")
			if err != nil {
				return fmt.Errorf("a folder for the demo: %w", err)
			}
			defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
			logger := slog.New(slog.DiscardHandler)
			if verbose {
				logger = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelDebug}))
			}
			return demo.Run(cmd.Context(), demo.Options{
				Dir: filepath.Clean(dir), Out: cmd.OutOrStdout(), Color: coloured(), Logger: logger,
				Version: buildVersion(), Keep: keep, Token: rand.Text(),
			})
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave everything up afterwards, to try things by hand")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "show the program's own log")
	return cmd
}

// coloured reports whether colours would be seen and are wanted: see
// https://no-color.org.
func coloured() bool {
	return os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(os.Stdout.Fd()))
}
