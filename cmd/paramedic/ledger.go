package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/client"
	"github.com/tripgen/paramedic/internal/explain"
	"github.com/tripgen/paramedic/internal/ledger"
)

func newLedgerCmd(env environment) *cobra.Command {
	cmd := &cobra.Command{Use: "ledger", Short: "Verify and export the ledger"}
	c := connect(cmd, env)
	cmd.AddCommand(newLedgerVerifyCmd(c), newLedgerExportCmd(c))
	return cmd
}

func newLedgerVerifyCmd(c *connection) *cobra.Command {
	var anchor string
	cmd := &cobra.Command{
		Use:   "verify [FILE|-]",
		Short: "Prove that the ledger is whole and unchanged",
		Long: `Reads the whole ledger, from the server or from a file that "ledger export"
wrote, and checks here that each record names the hash of the one before and
follows from it. Exit code 0: it holds, 3: it is broken, 1: it could not be read.

A chain by itself cannot show that its end was cut off, or that all of it was
written anew. Keep the head that this command prints in another place, and give
it as --anchor the next time: a record with this hash must then be there.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			proof := &proof{Intact: true, Anchor: anchor, fold: ledger.NewFold()}
			if err := proof.read(cmd, cl, args); err != nil {
				return err
			}
			return proof.print(c, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&anchor, "anchor", "", "hash of a record that must be there")
	return cmd
}

// proof is what a verification found.
type proof struct {
	Intact  bool   `json:"intact"`
	Records uint64 `json:"records"`
	// Head is the hash of the last record that holds.
	Head string `json:"head"`
	// BrokenAt is the first record that does not hold, and Problem why.
	BrokenAt uint64 `json:"brokenAt,omitempty"`
	Problem  string `json:"problem,omitempty"`
	Anchor   string `json:"anchor,omitempty"`
	AnchorAt uint64 `json:"anchorAt,omitempty"`

	fold *ledger.Fold
}

// errBroken stops reading at the first record that does not hold.
var errBroken = errors.New("broken")

func (p *proof) read(cmd *cobra.Command, cl *client.Client, args []string) error {
	err := p.readAll(cmd, cl, args)
	p.Records, p.Head = p.fold.Seq, p.fold.Head
	if err != nil && !errors.Is(err, errBroken) {
		return err
	}
	if p.Intact && p.Anchor != "" && p.AnchorAt == 0 {
		p.Intact, p.Problem = false, "no record has the hash "+p.Anchor
	}
	return nil
}

func (p *proof) readAll(cmd *cobra.Command, cl *client.Client, args []string) error {
	if len(args) == 0 {
		return cl.Ledger(cmd.Context(), 1, p.take)
	}
	in := cmd.InOrStdin()
	if args[0] != "-" {
		f, err := os.Open(args[0])
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	next, err := client.Records(in, 1, p.take)
	if err == nil && next == 1 {
		return errors.New("there is no record in it: an empty file proves nothing")
	}
	return err
}

func (p *proof) take(seq uint64, data []byte) error {
	if _, err := p.fold.Take(seq, data); err != nil {
		p.Intact, p.BrokenAt, p.Problem = false, seq, err.Error()
		return errBroken
	}
	if p.fold.Head == p.Anchor {
		p.AnchorAt = seq
	}
	return nil
}

func (p *proof) print(c *connection, out io.Writer) error {
	var err error
	switch {
	case c.json():
		err = printJSON(out, p, true)
	case p.Intact:
		err = say(out, "%d records, each follows from the one before. Head: %s", p.Records, p.Head)
	case p.BrokenAt != 0:
		err = say(out, "BROKEN at record %d: %s\nThe %d records before it hold. Head: %s", p.BrokenAt, explain.Clean(p.Problem), p.Records, p.Head)
	default:
		err = say(out, "BROKEN: %s\nThe chain of %d records holds by itself. Head: %s", explain.Clean(p.Problem), p.Records, p.Head)
	}
	if err == nil && !p.Intact {
		return errFindings
	}
	return err
}

func newLedgerExportCmd(c *connection) *cobra.Command {
	var from uint64
	var file string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the ledger as JSON lines, byte for byte as it is stored",
		Long: `Writes one record a line. Only an export from the first record on can be
verified by itself. A file appears under its name when it is whole.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cl, err := c.client()
			if err != nil {
				return err
			}
			write := func(w io.Writer) error { return export(cmd, cl, from, w) }
			if file == "" || file == "-" {
				return write(cmd.OutOrStdout())
			}
			return writeWhole(file, write)
		},
	}
	cmd.Flags().Uint64Var(&from, "from", 1, "begin with this record")
	cmd.Flags().StringVar(&file, "file", "", "write to this file (default standard output)")
	return cmd
}

func export(cmd *cobra.Command, cl *client.Client, from uint64, w io.Writer) error {
	out := bufio.NewWriter(w)
	err := cl.Ledger(cmd.Context(), from, func(_ uint64, data []byte) error {
		if _, err := out.Write(data); err != nil {
			return err
		}
		return out.WriteByte('\n')
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// writeWhole makes a file appear only when all of it is written.
func writeWhole(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".paramedic-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.Rename(f.Name(), name)
}
