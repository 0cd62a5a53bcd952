package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tripgen/paramedic/internal/client"
	"github.com/tripgen/paramedic/internal/explain"
)

const defaultServer = "http://127.0.0.1:8080"

// environment is what the commands that talk to a server take from the process.
type environment struct {
	getenv func(name string) string
	// terminal reports whether a person can answer there.
	terminal func(in io.Reader) bool
}

func processEnvironment() environment {
	return environment{
		getenv: os.Getenv,
		terminal: func(in io.Reader) bool {
			f, ok := in.(*os.File)
			return ok && term.IsTerminal(int(f.Fd()))
		},
	}
}

// connection is how to reach a server, and in which form to print its answers.
type connection struct {
	environment
	server, tokenFile, output string
}

// connect gives cmd and those below it the flags of a connection.
func connect(cmd *cobra.Command, env environment) *connection {
	c := &connection{environment: env}
	flags := cmd.PersistentFlags()
	c.reach(flags)
	flags.StringVarP(&c.output, "output", "o", "text", "text or json")
	return c
}

// textFlags is the part of a set of flags that takes texts.
type textFlags interface {
	StringVar(p *string, name, value, usage string)
}

// reach adds the flags that say where the server is.
func (c *connection) reach(flags textFlags) {
	flags.StringVar(&c.server, "server", "", "address of the server (default $PARAMEDIC_SERVER, or "+defaultServer+")")
	flags.StringVar(&c.tokenFile, "token-file", "", "file that holds the API token (default the token itself in $PARAMEDIC_TOKEN)")
}

// address is the server's.
func (c *connection) address() string {
	if c.server != "" {
		return c.server
	}
	if server := c.getenv("PARAMEDIC_SERVER"); server != "" {
		return server
	}
	return defaultServer
}

// client checks the flags and makes the client.
func (c *connection) client() (*client.Client, error) {
	if c.output != "text" && c.output != "json" {
		return nil, fmt.Errorf("--output %q: want text or json", c.output)
	}
	token := c.getenv("PARAMEDIC_TOKEN")
	if c.tokenFile != "" {
		b, err := os.ReadFile(c.tokenFile)
		if err != nil {
			return nil, fmt.Errorf("--token-file: %w", err)
		}
		if token = strings.TrimSpace(string(b)); token == "" {
			return nil, fmt.Errorf("--token-file %s: it is empty", c.tokenFile)
		}
	}
	return client.New(client.Options{Server: c.address(), Token: token})
}

func (c *connection) json() bool { return c.output == "json" }

// printJSON prints v for programs: indented, or as one line of several.
func printJSON(out io.Writer, v any, indent bool) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if indent {
		enc.SetIndent("", "  ")
	}
	return enc.Encode(v)
}

// table prints rows of cells in columns. What servers and senders wrote is made
// safe for a terminal.
func table(out io.Writer, rows ...[]string) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = explain.Clean(cell)
		}
		if _, err := fmt.Fprintln(w, strings.Join(cells, "\t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

// say prints one line.
func say(out io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(out, format+"\n", args...)
	return err
}

// moment is a time as a person reads it, in the local zone.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
