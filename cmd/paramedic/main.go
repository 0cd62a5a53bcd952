// Command paramedic is a first responder for alerts: it takes the webhooks of
// monitoring systems, decides by written rules, acts, verifies, and reports.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/manual"
	"github.com/tripgen/paramedic/rules"
)

// The exit codes. Success is 0.
const (
	exitFailure  = 1 // it could not be run
	exitFindings = 3 // it ran, and the answer is no
)

// errFindings ends a command that ran and whose answer is no, once that answer
// has been printed.
var errFindings = errors.New("findings")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process where it is, should it not end by itself.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run is the whole program but for signals and the process's end.
func run(ctx context.Context, args []string) int {
	root := newRootCmd()
	root.SetArgs(args)
	switch err := root.ExecuteContext(ctx); {
	case err == nil:
		return 0
	case errors.Is(err, errFindings):
		return exitFindings
	default:
		_, _ = fmt.Fprintln(root.ErrOrStderr(), "paramedic:", err) // the exit code says it, too
		return exitFailure
	}
}

func newRootCmd() *cobra.Command {
	root := &cobra.Command{
		Use:   "paramedic",
		Short: "First responder for alerts",
		Long: `Paramedic takes the webhooks that monitoring systems already send, decides by
written rules what to do, does it, checks that it helped, and tells people.

Try it:  paramedic demo
Run it:  paramedic serve --config paramedic.yaml`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	env := processEnvironment()
	root.AddCommand(
		newServeCmd(), newDemoCmd(), newCheckCmd(), newVersionCmd(),
		newRunsCmd(env), newApproveCmd(env), newDenyCmd(env), newPauseCmd(env), newResumeCmd(env), newLedgerCmd(env), newQuarantineCmd(env), newTriggerCmd(env),
		newSchemaCmd(), newExplainCmd(), newTestCmd(), newBacktestCmd(env), newBusCmd(), newWorkerCmd(), newRBACCmd(),
		// Without a Run they are topics: "paramedic help language".
		&cobra.Command{Use: "language", Short: "The rule language", Long: rules.Reference},
		&cobra.Command{Use: "sources", Short: "Senders of webhooks, and how they authenticate", Long: manual.Sources},
		&cobra.Command{Use: "responses", Short: "What webhooks are answered, and why", Long: manual.Responses},
		&cobra.Command{Use: "workers", Short: "Workers elsewhere and in other languages: groups, credentials, the protocol", Long: manual.Workers},
		&cobra.Command{Use: "failover", Short: "Failing a region over and back: what happens, and what if it fails or dies", Long: manual.Failover},
	)
	return root
}
