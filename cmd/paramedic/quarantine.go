package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/client"
	"github.com/tripgen/paramedic/internal/web/api"
)

func newQuarantineCmd(env environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quarantine",
		Short: "Look at bodies that could not be used, replay them once they can, or drop them",
		Long: `A webhook whose body cannot be decoded, or of which some alerts cannot be used,
is kept in quarantine, for 90 days. Once the cause is mended (a source's type or
mapping in the configuration, or a newer version of this program), it is replayed:
decoded again, and taken as the delivery that it was, received when it was. An alert
that is too old by now is recorded and starts nothing.`,
	}
	c := connect(cmd, env)
	cmd.AddCommand(newQuarantineListCmd(c), newQuarantineShowCmd(c), newQuarantineReplayCmd(c), newQuarantineDropCmd(c))
	return cmd
}

func newQuarantineListCmd(c *connection) *cobra.Command {
	var f client.QuarantineFilter
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what is in quarantine, the oldest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			list, err := cl.Quarantine(cmd.Context(), f)
			if err != nil {
				return err
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), list, true)
			}
			return printQuarantine(cmd.OutOrStdout(), list)
		},
	}
	cmd.Flags().StringVar(&f.Source, "source", "", "only bodies of this source")
	cmd.Flags().BoolVar(&f.Newest, "newest", false, "the newest first")
	cmd.Flags().IntVar(&f.Limit, "limit", 50, "at most so many")
	cmd.Flags().Uint64Var(&f.After, "after", 0, "go on behind a list that ended there")
	return cmd
}

func printQuarantine(out io.Writer, list api.QuarantineList) error {
	if len(list.Entries) == 0 {
		return say(out, "Nothing is in quarantine.")
	}
	rows := [][]string{{"ID", "SOURCE", "RECEIVED", "BYTES", "WHY"}}
	for _, e := range list.Entries {
		rows = append(rows, []string{e.ID, e.Source, moment(e.ReceivedAt), strconv.Itoa(e.Bytes), cmp.Or(e.Reason, "-")})
	}
	if err := table(out, rows...); err != nil {
		return err
	}
	if list.Next != 0 {
		if err := say(out, "and more: see --limit, or --after %d", list.Next); err != nil {
			return err
		}
	}
	return say(out, "\nLook closer:  paramedic quarantine show ID --try\nOnce mended:  paramedic quarantine replay ID... | --source NAME | --all")
}

// shown is a body in quarantine, and what its decoder would make of it now.
type shown struct {
	api.QuarantineDetail
	Now *api.ReplayedEntry `json:"now,omitempty"`
}

func newQuarantineShowCmd(c *connection) *cobra.Command {
	var body, try bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show why a body was kept, and what a replay would do",
		Long: `Shows what is known of a body in quarantine. With --body it writes the body
instead, byte for byte, but for a terminal, which is not to obey what it contains.
A body may hold what not everybody should read: that, and --try, need an operator.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			if body {
				raw, err := cl.QuarantinedBody(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return c.writeBody(cmd.OutOrStdout(), raw)
			}
			var d shown
			if d.QuarantineDetail, err = cl.Quarantined(cmd.Context(), args[0]); err != nil {
				return err
			}
			if try {
				now, err := cl.TryQuarantined(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				d.Now = &now
			}
			if c.json() {
				return printJSON(cmd.OutOrStdout(), d, true)
			}
			return printQuarantined(cmd.OutOrStdout(), d)
		},
	}
	cmd.Flags().BoolVar(&body, "body", false, "write the body itself, and nothing else")
	cmd.Flags().BoolVar(&try, "try", false, "say what the source's decoder makes of it now")
	cmd.MarkFlagsMutuallyExclusive("body", "try")
	return cmd
}

func (c *connection) writeBody(out io.Writer, body []byte) error {
	if f, ok := out.(*os.File); ok && c.terminal(f) {
		return say(out, "%s", harmless(string(body)))
	}
	_, err := out.Write(body)
	return err
}

// harmless takes what a terminal would obey out of a text of several lines.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

func printQuarantined(out io.Writer, d shown) error {
	rows := [][]string{
		{"Delivery", d.ID},
		{"Source", d.Source},
		{"Received", moment(d.ReceivedAt)},
		{"Size", fmt.Sprintf("%d bytes", d.Bytes)},
		{"Kept because", cmp.Or(d.Reason, "-")},
	}
	for _, name := range slices.Sorted(maps.Keys(d.Headers)) {
		rows = append(rows, []string{"Header", name + ": " + d.Headers[name]})
	}
	if d.MissingHeaders != "" {
		rows = append(rows, []string{"Not kept", d.MissingHeaders + " (so a replay may differ from what was sent)"})
	}
	if d.Incomplete != "" {
		rows = append(rows, []string{"Incomplete", d.Incomplete})
	}
	drop := []string{"To drop", "paramedic quarantine drop " + d.ID + " --reason WHY"}
	replay := []string{"To replay", "paramedic quarantine replay " + d.ID}
	switch {
	case d.Now == nil:
		rows = append(rows, replay, drop)
	case d.Now.Outcome == api.Replayed:
		rows = append(rows, []string{"Now", fmt.Sprintf("it can be used: %s", plural(d.Now.Alerts, "alert"))}, replay)
	case d.Now.Outcome == api.Ignored:
		rows = append(rows, []string{"Now", "it can be read, and there is nothing to do: " + d.Now.Detail}, replay)
	default:
		rows = append(rows, []string{"Now", "still not: " + d.Now.Detail}, drop)
	}
	return table(out, rows...)
}

func newQuarantineDropCmd(c *connection) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "drop ID...",
		Short: "Remove bodies from quarantine for ever",
		Long: `Removes exactly the bodies that are named; nobody will act on what they say. Who
dropped them, and why, is in the server's log. Exit code 0: all are dropped, 3: some
are not there.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return errors.New("say why: --reason TEXT is for the log, which is all that is left of a body that is dropped")
			}
			cl, err := c.client()
			if err != nil {
				return err
			}
			got, err := cl.DropQuarantined(cmd.Context(), reason, args...)
			if err != nil {
				return err
			}
			return c.dropped(cmd.OutOrStdout(), got)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the log")
	return cmd
}

func (c *connection) dropped(out io.Writer, got api.Dropped) error {
	var err error
	if c.json() {
		err = printJSON(out, got, true)
	} else {
		rows := [][]string{}
		for _, e := range got.Dropped {
			rows = append(rows, []string{"dropped", e.ID, e.Source})
		}
		for _, id := range got.Absent {
			rows = append(rows, []string{"absent", id, "it is not in quarantine"})
		}
		err = table(out, rows...)
	}
	if err == nil && len(got.Absent) > 0 {
		return errFindings
	}
	return err
}
