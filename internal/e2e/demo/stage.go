package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/e2e"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

//go:embed rules.yaml
var rules []byte

const (
	namespace = "production"
	service   = "profile-service"
	pods      = 3
)

// stage is everything that plays a part.
type stage struct {
	// saying guards out: the story and what the ledger tells come side by side.
	saying       sync.Mutex
	out          io.Writer
	cluster      *lab.Cluster
	paramedic    *e2e.Paramedic
	alertmanager *lab.Alertmanager
}

// say prints a line; a terminal that is gone changes nothing.
func (s *stage) say(format string, args ...any) {
	s.saying.Lock()
	defer s.saying.Unlock()
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}

// build starts Kubernetes, Paramedic and Alertmanager, and deploys the service.
func (s *stage) build(ctx context.Context, folder string) (err error) {
	started := time.Now()
	s.say("Starting Kubernetes, Alertmanager and Paramedic. The very first time, Kubernetes is built, which takes minutes.")
	if s.cluster, err = lab.StartKubernetes(ctx, lab.Options{Progress: s.out}); err != nil {
		return err
	}
	may := kubernetes.ClusterRole("paramedic", &kubernetes.Restart{}, &kubernetes.Rollout{})
	if err := e2e.Allow(ctx, s.cluster, lab.Paramedic, may); err != nil {
		return err
	}
	kubeconfig, err := s.cluster.KubeconfigFor(lab.Paramedic)
	if err != nil {
		return err
	}
	program, err := e2e.Build(ctx, folder)
	if err != nil {
		return err
	}
	s.paramedic, err = e2e.Start(ctx, e2e.Options{Program: program, Folder: folder, Clusters: map[string]string{"lab": kubeconfig}, Rules: rules})
	if err != nil {
		return err
	}
	s.alertmanager, err = lab.StartAlertmanager(ctx, lab.AlertmanagerOptions{
		Config: e2e.AlertmanagerConfig(s.paramedic.Webhook(), s.paramedic.TokenFile, time.Second), Progress: s.out,
	})
	if err != nil {
		return err
	}
	if err := s.deploy(ctx); err != nil {
		return err
	}
	version, err := s.cluster.Client().Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("version of Kubernetes: %w", err)
	}
	s.say("Kubernetes %s runs %s/%s with %d pods (%.0f s). Look for yourself:\n\n  kubectl --kubeconfig %s -n %s get deployments,pods\n",
		version.GitVersion, namespace, service, pods, time.Since(started).Seconds(), s.cluster.Kubeconfig(), namespace)
	return nil
}

func (s *stage) deploy(ctx context.Context) error {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
	if _, err := s.cluster.Client().CoreV1().Namespaces().Create(ctx, n, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("namespace: %w", err)
	}
	d := lab.Deployment(namespace, service, pods)
	if _, err := s.cluster.Client().AppsV1().Deployments(namespace).Create(ctx, d, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("deployment: %w", err)
	}
	return s.cluster.WaitAvailable(ctx, d)
}

// strike takes down what is up, latest first. If Paramedic did not end well, its
// log is shown.
func (s *stage) strike() error {
	var errs []error
	if s.alertmanager != nil {
		errs = append(errs, s.alertmanager.Stop())
	}
	if s.paramedic != nil {
		err := s.paramedic.Stop()
		if err != nil {
			_, _ = os.Stderr.WriteString(s.paramedic.Log()) // beside the error that is returned
		}
		errs = append(errs, err)
	}
	if s.cluster != nil {
		errs = append(errs, s.cluster.Stop())
	}
	return errors.Join(errs...)
}
