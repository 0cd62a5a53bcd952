package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/tripgen/paramedic/internal/lab/binaries"
)

// Options say what a cluster is to be. The zero value is a good cluster.
type Options struct {
	// Nodes is how many nodes there are; 0 means 2.
	Nodes int
	// Users are known beside the standing ones, Administrator, Paramedic and Outsider.
	Users []User
	// Folder is where the cluster's own folder is made; empty means the system's place for temporary files.
	Folder string
	// Progress gets a line now and then about builds; nil discards them.
	Progress io.Writer
}

const (
	defaultNodes = 2
	// startLimit bounds one start, which takes about three seconds on two idle cores, without the builds.
	startLimit = 90 * time.Second
	startTries = 3
)

// Cluster is a running Kubernetes control plane with nodes whose kubelets are played by kwok.
type Cluster struct {
	folder      string
	audit       auditLog
	credentials *credentials
	certs       certificates
	processes   []*process // in order of start
	admin       *rest.Config
	client      kubernetes.Interface
}

// StartKubernetes starts a cluster and returns once its nodes are ready to take pods. The context bounds the start,
// not the life; [Cluster.Stop] ends it. Missing binaries are built first. A server that does not come up is a
// [*StartError].
func StartKubernetes(ctx context.Context, options Options) (*Cluster, error) {
	if options.Nodes == 0 {
		options.Nodes = defaultNodes
	}
	programs, err := ensurePrograms(ctx, options.Progress)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		cluster, err := startCluster(ctx, options, programs)
		if err == nil {
			return cluster, nil
		}
		if try == startTries || !errors.Is(err, errPortTaken) {
			return nil, err
		}
	}
}

// ensurePrograms returns the paths of the servers and of kwok's stages.
func ensurePrograms(ctx context.Context, progress io.Writer) (map[string]string, error) {
	store, err := binaries.Open(ctx, progress)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	paths := map[string]string{}
	for _, bundle := range []binaries.Bundle{binaries.KubernetesBundle(), binaries.EtcdBundle(), binaries.KwokBundle()} {
		folder, err := store.Ensure(ctx, bundle)
		if err != nil {
			return nil, fmt.Errorf("lab: %w", err)
		}
		for name := range bundle.Programs {
			paths[name] = filepath.Join(folder, name)
		}
		for name := range bundle.Files {
			paths[name] = filepath.Join(folder, name)
		}
	}
	return paths, nil
}

func startCluster(ctx context.Context, options Options, programs map[string]string) (_ *Cluster, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("not ready within %v", startLimit))
	defer cancel()
	folder, err := makeFolder(options.Folder, "kubernetes-")
	if err != nil {
		return nil, fmt.Errorf("lab: folder of the cluster: %w", err)
	}
	c := &Cluster{folder: folder}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	addresses, err := freeAddresses(ctx, 3)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	if c.certs, err = makeCertificates(folder, time.Now()); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	users := append(standingUsers(), options.Users...)
	if c.credentials, err = makeCredentials(folder, "https://"+addresses[2], c.certs.caPEM, users); err != nil {
		return nil, err
	}
	c.admin = c.credentials.config(Administrator)
	if c.client, err = kubernetes.NewForConfig(c.admin); err != nil {
		return nil, fmt.Errorf("lab: client: %w", err)
	}
	if err := c.startServers(ctx, programs, addresses[0], addresses[1], addresses[2]); err != nil {
		return nil, err
	}
	if err := c.addNodes(ctx, options.Nodes); err != nil {
		return nil, err
	}
	for _, p := range c.processes {
		if p.ended() {
			return nil, p.failed(fmt.Errorf("%w: %w", errEnded, p.exit()))
		}
	}
	return c, nil
}

// Stop ends the servers, last started first, and removes the cluster's folder. Nothing of a cluster outlives it, so
// the servers are killed rather than asked. Calling it again does nothing.
func (c *Cluster) Stop() error {
	var failures []error
	for _, p := range slices.Backward(c.processes) {
		failures = append(failures, p.stop(0))
	}
	return errors.Join(append(failures, os.RemoveAll(c.folder))...)
}

// URL is the API server's address.
func (c *Cluster) URL() string { return c.credentials.url }

// CAFile is the path of the certificate of the authority that signed the API server's.
func (c *Cluster) CAFile() string { return c.certs.ca }

// Kubeconfig is the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.credentials.kubeconfigFile(Administrator) }

// Config is how the administrator connects, without client-side throttling.
func (c *Cluster) Config() *rest.Config { return rest.CopyConfig(c.admin) }

// Client acts as the administrator.
func (c *Cluster) Client() kubernetes.Interface { return c.client }

// KubeconfigFor is the path of the user's kubeconfig.
func (c *Cluster) KubeconfigFor(user string) (string, error) {
	return c.credentials.kubeconfigFile(user), c.credentials.known(user)
}

// ConfigFor is how the user connects, without client-side throttling.
func (c *Cluster) ConfigFor(user string) (*rest.Config, error) {
	return c.credentials.config(user), c.credentials.known(user)
}

// Token is the user's bearer token.
func (c *Cluster) Token(user string) (string, error) {
	return c.credentials.tokens[user], c.credentials.known(user)
}

// Logs returns the end of each server's output, by the server's name.
func (c *Cluster) Logs() map[string]string {
	logs := make(map[string]string, len(c.processes))
	for _, p := range c.processes {
		logs[p.name] = p.tail()
	}
	return logs
}
