package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/tripgen/paramedic/internal/lab/binaries"
)

// AlertmanagerOptions say what an Alertmanager is to be.
type AlertmanagerOptions struct {
	// Config is its configuration file, as text. Paths in it, of certificates or credentials, must be absolute.
	Config string
	// Clustered makes it listen for peers, without having any yet.
	Clustered bool
	// Peers are the cluster addresses of replicas to join; any makes it clustered.
	Peers []string
	// Args are more flags, such as --cluster.peer-timeout=1s.
	Args []string
	// Folder is where its own folder is made; empty means the system's place for temporary files.
	Folder string
	// Progress gets a line now and then about builds; nil discards them.
	Progress io.Writer
}

const (
	alertmanagerLimit = 30 * time.Second
	alertmanagerGrace = 5 * time.Second
)

// Alertmanager is a running Alertmanager.
type Alertmanager struct {
	folder      string
	address     string
	clusterAddr string
	process     *process
}

// StartAlertmanager starts an Alertmanager and returns once it is ready. The context bounds the start, not the life;
// [Alertmanager.Stop] ends it. One that does not come up, for a fault in its configuration say, is a [*StartError].
func StartAlertmanager(ctx context.Context, options AlertmanagerOptions) (*Alertmanager, error) {
	store, err := binaries.Open(ctx, options.Progress)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	built, err := store.Ensure(ctx, binaries.AlertmanagerBundle())
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	for try := 1; ; try++ {
		a, err := startAlertmanager(ctx, options, filepath.Join(built, binaries.Alertmanager))
		if err == nil {
			return a, nil
		}
		if try == startTries || !errors.Is(err, errPortTaken) {
			return nil, err
		}
	}
}

// StartAlertmanagerPair starts two replicas that know each other. Their peer timeout is short, so the one that
// stands back while the other notifies does so for a second instead of fifteen.
func StartAlertmanagerPair(ctx context.Context, options AlertmanagerOptions) ([2]*Alertmanager, error) {
	options.Clustered = true
	options.Args = append([]string{
		"--cluster.peer-timeout=1s", "--cluster.gossip-interval=50ms", "--cluster.pushpull-interval=1s", "--cluster.settle-timeout=5s",
	}, options.Args...)
	first, err := StartAlertmanager(ctx, options)
	if err != nil {
		return [2]*Alertmanager{}, err
	}
	options.Peers = append([]string{first.ClusterAddress()}, options.Peers...)
	second, err := StartAlertmanager(ctx, options)
	if err != nil {
		return [2]*Alertmanager{}, errors.Join(err, first.Stop())
	}
	return [2]*Alertmanager{first, second}, nil
}

func startAlertmanager(ctx context.Context, options AlertmanagerOptions, program string) (_ *Alertmanager, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, alertmanagerLimit, fmt.Errorf("not ready within %v", alertmanagerLimit))
	defer cancel()
	folder, err := makeFolder(options.Folder, "alertmanager-")
	if err != nil {
		return nil, fmt.Errorf("lab: folder of Alertmanager: %w", err)
	}
	a := &Alertmanager{folder: folder}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Stop())
		}
	}()
	addresses, err := freeAddresses(ctx, 2)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	a.address = addresses[0]
	config := filepath.Join(folder, "alertmanager.yaml")
	if err := os.WriteFile(config, []byte(options.Config), 0o600); err != nil {
		return nil, fmt.Errorf("lab: alertmanager config: %w", err)
	}
	args := []string{
		"--config.file", config,
		"--storage.path", filepath.Join(folder, "data"),
		"--web.listen-address", a.address,
	}
	if options.Clustered || len(options.Peers) > 0 {
		a.clusterAddr = addresses[1]
		args = append(args, "--cluster.listen-address", a.clusterAddr, "--cluster.advertise-address", a.clusterAddr)
		for _, peer := range options.Peers {
			args = append(args, "--cluster.peer", peer)
		}
	} else {
		args = append(args, "--cluster.listen-address=") // alone, it notifies at once instead of waiting for peers
	}
	if a.process, err = startProcess(ctx, folder, binaries.Alertmanager, program, append(args, options.Args...)...); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return a, a.process.await(ctx, healthy(a.URL()+"/-/ready"))
}

// URL is the address of its web interface and API.
func (a *Alertmanager) URL() string { return "http://" + a.address }

// ClusterAddress is where peers reach it; empty if it is alone.
func (a *Alertmanager) ClusterAddress() string { return a.clusterAddr }

// Log is the end of its output.
func (a *Alertmanager) Log() string { return a.process.tail() }

// Stop ends it in order, which lets a notification that is under way finish, and removes its folder. Calling it
// again does nothing.
func (a *Alertmanager) Stop() error {
	if a.process == nil {
		return os.RemoveAll(a.folder)
	}
	return errors.Join(a.process.stop(alertmanagerGrace), os.RemoveAll(a.folder))
}
