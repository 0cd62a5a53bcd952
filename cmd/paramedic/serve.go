package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/config"
)

func newServeCmd() *cobra.Command {
	var path, roles string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run Paramedic",
		Long: `Runs until it is interrupted or told to terminate, and then ends in order: it
takes no more webhooks, lets actions in hand end, and closes the bus.

The configuration is one file; PARAMEDIC_CONFIG names it if --config does not.

Changed rule files are in force within seconds, or at once after SIGHUP; a set
that does not compile is refused, and the one before stays.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(configPath(path), config.ProcessEnv())
			if err != nil {
				return err
			}
			if err := cfg.CheckSecrets(); err != nil {
				return err
			}
			o := app.Options{Config: cfg, Version: buildVersion(), Logger: newLogger(cmd.ErrOrStderr(), cfg.Log)}
			if roles != "" {
				if o.Roles, err = app.ParseRoles(roles); err != nil {
					return fmt.Errorf("--roles: %w", err)
				}
			}
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			o.Reload = hangup
			return app.Run(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration file (default $PARAMEDIC_CONFIG, or paramedic.yaml)")
	cmd.Flags().StringVar(&roles, "roles", "", "comma-separated parts to run: receiver, engine, worker, reporter, web (default all)")
	return cmd
}

func configPath(flag string) string {
	if flag != "" {
		return flag
	}
	if env := os.Getenv("PARAMEDIC_CONFIG"); env != "" {
		return env
	}
	return "paramedic.yaml"
}

func newLogger(w io.Writer, l config.Log) *slog.Logger {
	o := &slog.HandlerOptions{Level: l.Level}
	if l.Format == config.Text {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}
