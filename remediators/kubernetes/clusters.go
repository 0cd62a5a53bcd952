package kubernetes

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Clusters are the clients of the configured clusters, made by [Connect], by the
// name that rules call them. It is not changed once in use.
type Clusters map[string]*Client

// client finds the client for a target, and refuses one that is not a whole
// Kubernetes target.
func (c Clusters) client(t engine.Target) (*Client, error) {
	if t.System != engine.SystemKubernetes {
		return nil, remediators.Terminal("target %q: system is %q, want %q", t, t.System, engine.SystemKubernetes)
	}
	if err := t.Validate(); err != nil {
		return nil, remediators.Terminal("%w", err)
	}
	client, err := c.Named(t.Cluster)
	if err != nil {
		return nil, fmt.Errorf("target %q: %w", t, err)
	}
	return client, nil
}

// Named finds a client by the cluster's name. The error is terminal and says which
// there are.
func (c Clusters) Named(name string) (*Client, error) {
	client, ok := c[name]
	if !ok {
		return nil, remediators.Terminal("cluster %q is not configured; known are: %s", name, strings.Join(slices.Sorted(maps.Keys(c)), ", "))
	}
	return client, nil
}

// ClusterConfig says how to reach one cluster: by a kubeconfig, or as the pod's
// own service account.
type ClusterConfig struct {
	// Kubeconfig is a file's path. Empty, and not InCluster, means the usual
	// places: KUBECONFIG, then ~/.kube/config.
	Kubeconfig string
	// Context is one of the kubeconfig's; empty means its current one.
	Context string
	// InCluster takes the service account of the pod that this runs in.
	InCluster bool
	// RequestTimeout bounds one request, also in the API server; 0 means 15 s.
	RequestTimeout time.Duration
	// QPS and Burst are how many requests a second this process sends at most;
	// 0 means 50 and 100.
	QPS   float32
	Burst int
}

const (
	defaultRequestTimeout = 15 * time.Second
	defaultQPS            = 50
	defaultBurst          = 100
)

// Connect makes a client, which shows itself as paramedic/VERSION. It reads the
// credentials but sends nothing, so a cluster that is down is no error here.
func Connect(config ClusterConfig, version string) (*Client, error) {
	if config.QPS < 0 || config.Burst < 0 {
		return nil, fmt.Errorf("kubernetes: QPS is %v and burst %d; want more than 0, or 0 for the default", config.QPS, config.Burst)
	}
	c, err := config.rest()
	if err != nil {
		return nil, err
	}
	c.UserAgent = "paramedic/" + version
	c.Timeout = orDefault(config.RequestTimeout, defaultRequestTimeout)
	c.QPS = orDefault(config.QPS, defaultQPS)
	c.Burst = orDefault(config.Burst, defaultBurst)
	c.WarningHandler = rest.NoWarnings{} // the default writes to stderr
	transport, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("kubernetes client for %s: %w", c.Host, err)
	}
	// Following a redirect would turn a PATCH into a GET, whose answer then
	// passes for the PATCH's.
	transport.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client, err := newClient(c, transport)
	if err != nil {
		return nil, fmt.Errorf("kubernetes client for %s: %w", c.Host, err)
	}
	return client, nil
}

func (c ClusterConfig) rest() (*rest.Config, error) {
	if c.InCluster {
		if c.Kubeconfig != "" || c.Context != "" {
			return nil, fmt.Errorf("kubernetes: inCluster excludes kubeconfig %q and context %q; give one or the other", c.Kubeconfig, c.Context)
		}
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("kubernetes: inCluster: %w", err)
		}
		return config, nil
	}
	loading := clientcmd.NewDefaultClientConfigLoadingRules()
	loading.ExplicitPath = c.Kubeconfig
	loading.WarnIfAllMissing = false
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(loading,
		&clientcmd.ConfigOverrides{CurrentContext: c.Context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubernetes: kubeconfig %q, context %q: %w", c.Kubeconfig, c.Context, err)
	}
	return config, nil
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
