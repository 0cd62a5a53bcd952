package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/manual"
	"github.com/tripgen/paramedic/internal/worker/conformance"
)

func newWorkerCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "worker",
		Short: "For whoever writes a worker: schemas, examples, and a test of it",
		Long:  `"paramedic help workers" is the protocol; "paramedic serve --roles worker" is the worker of this program.`,
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWorkerSchemaCmd(), newWorkerExampleCmd(), newConformanceCmd())
	return cmd
}

func newWorkerSchemaCmd() *cobra.Command {
	return &cobra.Command{
		Use:       "schema task|result",
		Short:     "Print the JSON Schema of the messages to and from workers",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"task", "result"},
		RunE: func(cmd *cobra.Command, args []string) error {
			text := manual.TaskSchema
			if args[0] == "result" {
				text = manual.ResultSchema
			}
			_, err := io.WriteString(cmd.OutOrStdout(), text)
			return err
		},
	}
}

func newWorkerExampleCmd() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:       "example " + strings.Join(manual.Examples(), "|"),
		Short:     "Write a worker to begin from",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: manual.Examples(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeExample(cmd.OutOrStdout(), args[0], out)
		},
	}
	cmd.Flags().StringVar(&out, "out", ".", "folder of the files; none that is there is replaced")
	return cmd
}

func writeExample(out io.Writer, language, folder string) error {
	files, err := manual.Example(language)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join(folder, name)
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // named by whoever wants it there
		if err != nil {
			return fmt.Errorf("write the example: %w", err)
		}
		_, err = f.Write(files[name])
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("write the example: %w", err)
		}
		if err := say(out, "%s", file); err != nil {
			return err
		}
	}
	return nil
}

// trial is what the flags of a conformance test say.
type trial struct {
	group, action, target, effects string
	params                         []string
	verbose                        bool
}

func newConformanceCmd() *cobra.Command {
	var c trial
	cmd := &cobra.Command{
		Use:   "conformance --action NAME [flags] -- COMMAND [ARGUMENT...]",
		Short: "Try a worker, in whatever language",
		Long: `Starts a NATS server on this machine and the command, which is to be a worker of
one group, with the credentials of that group, and sends it tasks: it must plan,
execute, put back, refuse what comes too late, what is paused and what is no task,
and do nothing twice, also when it is killed between the claim, the change and the
answer. It is killed for that, and started again whenever it ends.

The command finds in its environment ` + strings.Join([]string{
			conformance.EnvURL, conformance.EnvSeed, conformance.EnvDomain, conformance.EnvGroup, conformance.EnvAction,
		}, ",\n") + `.

Each task must have something to change: give --params several times where one set
of them undoes what another does. With --effects it is also counted how often each
task has changed the target. The exit code is 0 if all is well, and 3 if not.`,
		Example: `  paramedic worker conformance --action flag.set --effects flags.json \
    --params '{"flag": "beta", "on": true}' --params '{"flag": "beta", "on": false}' -- python3 worker.py`,
		Args: cobra.MinimumNArgs(1),
		RunE: c.run,
	}
	flags := cmd.Flags()
	flags.StringVar(&c.group, "group", "conformance", "worker group that the command works for")
	flags.StringVar(&c.action, "action", "", "action that is tried")
	flags.StringArrayVar(&c.params, "params", nil, "parameters of the action, as JSON; may be given several times (default {})")
	flags.StringVar(&c.target, "target", `{"system":"http","name":"example"}`, "target, as JSON")
	flags.StringVar(&c.effects, "effects", "", "file or folder in which each change of the target leaves the task's id")
	flags.BoolVarP(&c.verbose, "verbose", "v", false, "show what the command prints")
	if err := cmd.MarkFlagRequired("action"); err != nil {
		panic(err) // the flag is there: two lines above
	}
	return cmd
}

func (c *trial) run(cmd *cobra.Command, command []string) error {
	o := conformance.Options{
		Command: command, Group: c.group, Action: c.action, Effects: c.effects, Now: time.Now, NewID: rand.Text,
	}
	if err := json.Unmarshal([]byte(c.target), &o.Target); err != nil {
		return fmt.Errorf("--target: %w: write JSON such as %s", err, printed(engine.Target{System: engine.SystemHTTP, Name: "example"}))
	}
	if len(c.params) == 0 {
		c.params = []string{"{}"}
	}
	for _, p := range c.params {
		o.Params = append(o.Params, json.RawMessage(p))
	}
	if c.verbose {
		o.Log = cmd.ErrOrStderr()
	}
	folder, err := os.MkdirTemp("", "paramedic-conformance-")
	if err != nil {
		return fmt.Errorf("a folder for the server: %w", err)
	}
	o.Folder = folder
	found, err := conformance.Run(cmd.Context(), o)
	if err = errors.Join(err, os.RemoveAll(folder)); err != nil {
		return err
	}
	return printTrial(cmd.OutOrStdout(), found)
}

func printed(t engine.Target) string {
	text, err := json.Marshal(t)
	if err != nil {
		return t.String()
	}
	return string(text)
}

func printTrial(out io.Writer, found []conformance.Finding) error {
	rows := [][]string{{"RESULT", "TRIED", "SEEN"}}
	bad := false
	for _, f := range found {
		bad = bad || f.Verdict == conformance.Failed
		rows = append(rows, []string{string(f.Verdict), f.Name, f.Detail})
	}
	if err := table(out, rows...); err != nil {
		return err
	}
	if bad {
		return errFindings
	}
	return nil
}
