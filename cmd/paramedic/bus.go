package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/bus/access"
)

func newBusCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bus",
		Short: "Let workers onto a NATS server",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCredentialsCmd())
	return cmd
}

// changes are what is to be done to the keys in a folder.
type changes struct {
	dir                          string
	add, rotate, retire, removed []string
}

func newCredentialsCmd() *cobra.Command {
	var c changes
	cmd := &cobra.Command{
		Use:   "credentials",
		Short: "Write accounts for a NATS server, and a key for the hub and for each worker group",
		Long: `Writes, into one folder,

  paramedic-accounts.conf  what a NATS server includes in its configuration: an
                           account for the hub, and for each group one that may
                           do that group's work and nothing else
  hub.nk, GROUP.nk         the secret keys: "bus.credentials" of the hub, and of
                           the workers of each group
  access.json              which public keys there are; keep it

Run it again to add a group, or to change keys: --rotate gives a name another key
beside the one it has, and --retire takes the older one away, once the new one is
where it is needed. The server must reload its configuration after each change.
The secret keys are not needed here any more once they are where they belong.

"paramedic help workers" says how workers join.`,
		Example: `  paramedic bus credentials --group seoul --group tokyo --out nats
  paramedic bus credentials --rotate seoul --out nats
  paramedic bus credentials --retire seoul --out nats`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.OutOrStdout()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&c.dir, "out", "nats", "folder of the files")
	flags.StringArrayVar(&c.add, "group", nil, "worker group that is to have a key; may be given several times")
	flags.StringArrayVar(&c.rotate, "rotate", nil, "group, or "+access.Hub+", that gets another key beside its newest")
	flags.StringArrayVar(&c.retire, "retire", nil, "group, or "+access.Hub+", that keeps its newest key only")
	flags.StringArrayVar(&c.removed, "remove", nil, "group that loses its keys and its account")
	return cmd
}

func (c changes) run(out io.Writer) error {
	a, err := access.Open(c.dir)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		flag  string
		names []string
		do    func(string) error
	}{
		{"group", c.add, a.Add}, {"rotate", c.rotate, a.Rotate}, {"retire", c.retire, a.Retire}, {"remove", c.removed, a.Remove},
	} {
		for _, name := range step.names {
			if err := step.do(name); err != nil {
				return fmt.Errorf("--%s: %w", step.flag, err)
			}
		}
	}
	fresh, err := a.Save()
	if err != nil {
		return err
	}
	return c.tell(out, a, fresh)
}

// tell says what there is now and what is to be done with it. It shows no key.
func (c changes) tell(out io.Writer, a *access.Access, fresh []string) error {
	written := map[string]string{}
	for _, name := range fresh {
		written[name] = a.SeedFile(name)
	}
	rows := [][]string{{"WHO", "KEYS", "NEW KEY IN"}}
	for _, name := range append([]string{access.Hub}, a.Groups()...) {
		file := written[name]
		if file == "" {
			file = "-"
		}
		rows = append(rows, []string{name, strconv.Itoa(a.Keys(name)), file})
	}
	if err := table(out, rows...); err != nil {
		return err
	}
	return say(out, `
Include %s in the configuration of the NATS servers, and
have them reload it: nats-server --signal reload.
The hub:        bus: {url: "nats://...", credentials: %s}
               clusters: {NAME: {group: GROUP}}
Group's workers: bus: {url: "nats://...", credentials: GROUP.nk, domain: %s}
               worker: {group: GROUP}`, filepath.Join(c.dir, access.AccountsFile), filepath.Base(a.SeedFile(access.Hub)), access.Domain)
}
