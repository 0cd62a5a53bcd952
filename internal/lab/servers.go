package lab

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/lab/binaries"
)

//go:embed audit-policy.yaml
var auditPolicy []byte

//go:embed stages.yaml
var labStages []byte

const probeLimit = 2 * time.Second

// startServers starts the servers, each once what it needs is ready.
func (c *Cluster) startServers(ctx context.Context, programs map[string]string, etcdClient, etcdPeer, apiServer string) error {
	etcd, err := c.start(ctx, programs, binaries.Etcd, etcdArgs(c.folder, etcdClient, etcdPeer)...)
	if err != nil {
		return err
	}
	if err := etcd.await(ctx, healthy("http://"+etcdClient+"/health")); err != nil {
		return err
	}
	args, err := c.apiServerArgs(etcdClient, apiServer)
	if err != nil {
		return err
	}
	server, err := c.start(ctx, programs, binaries.APIServer, args...)
	if err != nil {
		return err
	}
	if err := server.await(ctx, c.serving); err != nil {
		return err
	}
	if _, err := c.start(ctx, programs, binaries.ControllerManager,
		"--kubeconfig", c.credentials.kubeconfigFile(controllerManagerUser),
		"--service-account-private-key-file", c.certs.serviceAccountKey,
		"--root-ca-file", c.certs.ca,
		"--leader-elect=false",
		"--horizontal-pod-autoscaler-sync-period=1s", // by default a raised minimum takes 15 s to be heeded
		"--secure-port=0",                            // its default port would allow one cluster a machine
	); err != nil {
		return err
	}
	if _, err := c.start(ctx, programs, binaries.Scheduler,
		"--kubeconfig", c.credentials.kubeconfigFile(schedulerUser),
		"--leader-elect=false",
		"--secure-port=0",
	); err != nil {
		return err
	}
	stages := filepath.Join(c.folder, "stages.yaml")
	if err := writeStages(stages, programs[binaries.KwokStages]); err != nil {
		return err
	}
	_, err = c.start(ctx, programs, binaries.Kwok,
		"--kubeconfig", c.credentials.kubeconfigFile(kwokUser),
		"--manage-all-nodes",
		"--node-lease-duration-seconds=40", // without leases the controller manager gives the nodes up after a while
		"--config", stages)
	return err
}

// start runs one server and keeps it for Stop.
func (c *Cluster) start(ctx context.Context, programs map[string]string, name string, args ...string) (*process, error) {
	p, err := startProcess(ctx, c.folder, name, programs[name], args...)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	c.processes = append(c.processes, p)
	return p, nil
}

func etcdArgs(folder, client, peer string) []string {
	return []string{
		"--name=default",
		"--data-dir", filepath.Join(folder, "etcd"),
		"--listen-client-urls", "http://" + client,
		"--advertise-client-urls", "http://" + client,
		"--listen-peer-urls", "http://" + peer,
		"--initial-advertise-peer-urls", "http://" + peer,
		"--initial-cluster", "default=http://" + peer,
		"--unsafe-no-fsync", // the data ends with the process
		"--log-level=warn",
	}
}

func (c *Cluster) apiServerArgs(etcd, address string) ([]string, error) {
	policy := filepath.Join(c.folder, "audit-policy.yaml")
	if err := os.WriteFile(policy, auditPolicy, 0o600); err != nil {
		return nil, fmt.Errorf("lab: audit policy: %w", err)
	}
	host, port, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	return []string{
		"--etcd-servers", "http://" + etcd,
		"--bind-address", host,
		"--secure-port", port,
		"--advertise-address", host, // else it wants an interface with a default route
		"--endpoint-reconciler-type=none",
		"--tls-cert-file", c.certs.serving,
		"--tls-private-key-file", c.certs.servingKey,
		"--service-account-key-file", c.certs.serviceAccountKey,
		"--service-account-signing-key-file", c.certs.serviceAccountKey,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--token-auth-file", c.credentials.tokenFile,
		"--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.0.0.0/24",
		"--disable-admission-plugins=ServiceAccount",
		"--audit-policy-file", policy,
		"--audit-log-path", c.AuditLog(),
		"--audit-log-mode=blocking",
	}, nil
}

// serving holds once the API server is ready and has made the namespace that everybody takes for granted.
func (c *Cluster) serving(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	if err := c.client.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); err != nil {
		if apierrors.IsUnauthorized(err) {
			return final(fmt.Errorf("%w: %w", errPortTaken, err)) // another cluster answers, which does not know the token
		}
		return err
	}
	_, err := c.client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceDefault, metav1.GetOptions{})
	return err
}

// writeStages joins kwok's own stages and the lab's.
func writeStages(target, own string) error {
	upstream, err := os.ReadFile(own) //nolint:gosec // a file of the lab's cache
	if err != nil {
		return fmt.Errorf("lab: kwok stages: %w", err)
	}
	if err := os.WriteFile(target, append(append(upstream, "---\n"...), labStages...), 0o600); err != nil {
		return fmt.Errorf("lab: kwok stages: %w", err)
	}
	return nil
}

// healthy holds once a GET of the address is answered with 200.
func healthy(address string) func(context.Context) error {
	return func(ctx context.Context) (err error) {
		ctx, cancel := context.WithTimeout(ctx, probeLimit)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
		if err != nil {
			return final(fmt.Errorf("probe: %w", err))
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, response.Body.Close()) }()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("GET %s: %s", address, response.Status)
		}
		return nil
	}
}
