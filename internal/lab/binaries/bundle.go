package binaries

import (
	"fmt"
	"strings"
)

// Bundle is one nested module and what is taken from it.
type Bundle struct {
	// Name is the module's folder below internal/lab/build.
	Name string
	// Module is the module path whose version is stamped and whose folder holds the Files.
	Module string
	// Programs maps the name of each binary to its main package.
	Programs map[string]string
	// Files maps the name of a file to patterns below the module's folder; the matches, in order of pattern and
	// name, are joined into it as YAML documents.
	Files map[string][]string
	// tags are build tags.
	tags []string
	// stamps are linker symbols and the value that each gets, in which the verbs of stamp are filled in.
	stamps map[string]string
}

// The programs and files that the bundles hold.
const (
	APIServer         = "kube-apiserver"
	ControllerManager = "kube-controller-manager"
	Scheduler         = "kube-scheduler"
	Etcd              = "etcd"
	Kwok              = "kwok"
	KwokStages        = "stages.yaml"
	Alertmanager      = "alertmanager"
	Prometheus        = "prometheus"
	Promtool          = "promtool"
	CRDs              = "crds.yaml"
)

// KubernetesBundle holds the control plane.
func KubernetesBundle() Bundle {
	const version = "k8s.io/component-base/version."
	return Bundle{
		Name:   "kubernetes",
		Module: "k8s.io/kubernetes",
		Programs: map[string]string{
			APIServer:         "k8s.io/kubernetes/cmd/kube-apiserver",
			ControllerManager: "k8s.io/kubernetes/cmd/kube-controller-manager",
			Scheduler:         "k8s.io/kubernetes/cmd/kube-scheduler",
		},
		// Unstamped, the servers call themselves v0.0.0 and clients that look at the version misbehave.
		stamps: map[string]string{version + "gitVersion": "{version}", version + "gitMajor": "{major}", version + "gitMinor": "{minor}"},
	}
}

// EtcdBundle holds the store below the control plane.
func EtcdBundle() Bundle {
	return Bundle{
		Name:     "etcd",
		Module:   "go.etcd.io/etcd/server/v3",
		Programs: map[string]string{Etcd: "go.etcd.io/etcd/server/v3"},
	}
}

// KwokBundle holds kwok, which plays the kubelets, and its own fast stages for nodes and pods.
func KwokBundle() Bundle {
	return Bundle{
		Name:     "kwok",
		Module:   "sigs.k8s.io/kwok",
		Programs: map[string]string{Kwok: "sigs.k8s.io/kwok/cmd/kwok"},
		Files:    map[string][]string{KwokStages: {"kustomize/stage/pod/fast/pod-*.yaml", "kustomize/stage/node/fast/node-*.yaml"}},
		stamps:   map[string]string{"sigs.k8s.io/kwok/pkg/consts.Version": "{version}"},
	}
}

// AlertmanagerBundle holds Alertmanager.
func AlertmanagerBundle() Bundle {
	return Bundle{
		Name:     "alertmanager",
		Module:   "github.com/prometheus/alertmanager",
		Programs: map[string]string{Alertmanager: "github.com/prometheus/alertmanager/cmd/alertmanager"},
		stamps:   map[string]string{"github.com/prometheus/common/version.Version": "{bare}"},
	}
}

// PrometheusBundle holds Prometheus and promtool, without the plug-ins that discover targets: the lab names its own. It
// is not stamped, as the module's version, v0.313.5 for Prometheus 3.13.5, is not what it would call itself.
func PrometheusBundle() Bundle {
	const module = "github.com/prometheus/prometheus"
	return Bundle{
		Name:     "prometheus",
		Module:   module,
		Programs: map[string]string{Prometheus: module + "/cmd/prometheus", Promtool: module + "/cmd/promtool"},
		tags:     []string{"remove_all_sd"},
	}
}

// KedaBundle holds KEDA's CustomResourceDefinitions and no program.
func KedaBundle() Bundle {
	return Bundle{
		Name:   "keda",
		Module: "github.com/kedacore/keda/v2",
		Files:  map[string][]string{CRDs: {"config/crd/bases/*.yaml"}},
	}
}

// VerticalAutoscalerBundle holds the CustomResourceDefinitions of the vertical pod autoscaler and no program.
func VerticalAutoscalerBundle() Bundle {
	return Bundle{
		Name:   "vpa",
		Module: "k8s.io/autoscaler/vertical-pod-autoscaler",
		Files:  map[string][]string{CRDs: {"deploy/vpa-v1-crd-gen.yaml"}},
	}
}

// All returns every bundle, the longest to build first.
func All() []Bundle {
	return []Bundle{KubernetesBundle(), PrometheusBundle(), KwokBundle(), EtcdBundle(), AlertmanagerBundle(), KedaBundle(), VerticalAutoscalerBundle()}
}

// linkerFlags are the -ldflags for the bundle at a module version such as v1.36.1.
func (b Bundle) linkerFlags(version string) (string, error) {
	bare, ok := strings.CutPrefix(version, "v")
	parts := strings.SplitN(bare, ".", 3)
	if !ok || len(parts) != 3 {
		return "", fmt.Errorf("module %s of bundle %s: version %q is not vMAJOR.MINOR.PATCH", b.Module, b.Name, version)
	}
	values := strings.NewReplacer("{version}", version, "{bare}", bare, "{major}", parts[0], "{minor}", parts[1])
	flags := []string{"-s", "-w"}
	for _, symbol := range sortedKeys(b.stamps) {
		flags = append(flags, "-X", symbol+"="+values.Replace(b.stamps[symbol]))
	}
	return strings.Join(flags, " "), nil
}
