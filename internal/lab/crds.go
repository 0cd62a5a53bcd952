package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/tripgen/paramedic/internal/lab/binaries"
)

// CRDs are the real CustomResourceDefinitions of a project, as its own module has them. Nothing acts on objects of
// these kinds: the API server validates and keeps them, no more.
type CRDs struct {
	bundle binaries.Bundle
	// served is a kind of them, which answers once they are there.
	served schema.GroupVersionResource
}

// Keda are those of KEDA: ScaledObject and the others.
func Keda() CRDs {
	return CRDs{binaries.KedaBundle(), schema.GroupVersionResource{Group: "keda.sh", Version: "v1alpha1", Resource: "scaledobjects"}}
}

// VerticalAutoscaler are those of the vertical pod autoscaler: VerticalPodAutoscaler and its checkpoints.
func VerticalAutoscaler() CRDs {
	return CRDs{binaries.VerticalAutoscalerBundle(), schema.GroupVersionResource{Group: "autoscaling.k8s.io", Version: "v1", Resource: "verticalpodautoscalers"}}
}

// Install installs CustomResourceDefinitions and returns once the API server serves them. Their module is downloaded
// first if it is missing. Installing them again changes nothing.
func (c *Cluster) Install(ctx context.Context, progress io.Writer, all ...CRDs) error {
	store, err := binaries.Open(ctx, progress)
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	client, err := dynamic.NewForConfig(c.admin)
	if err != nil {
		return fmt.Errorf("lab: client: %w", err)
	}
	for _, one := range all {
		folder, err := store.Ensure(ctx, one.bundle)
		if err != nil {
			return fmt.Errorf("lab: %w", err)
		}
		manifests, err := os.ReadFile(filepath.Join(folder, binaries.CRDs)) //nolint:gosec // a file of the lab's own cache
		if err != nil {
			return fmt.Errorf("lab: %w", err)
		}
		if err := c.Apply(ctx, manifests); err != nil {
			return err
		}
		err = poll(ctx, func(ctx context.Context) error {
			_, err := client.Resource(one.served).List(ctx, metav1.ListOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				return final(err)
			}
			return err //nolint:wrapcheck // wrapped below
		})
		if err != nil {
			return fmt.Errorf("lab: %s is not served: %w", one.served.GroupResource(), err)
		}
	}
	return nil
}

// CRDs installs CustomResourceDefinitions for a test; see [Cluster.Install].
func (c *Cluster) CRDs(tb testing.TB, all ...CRDs) {
	tb.Helper()
	if err := c.Install(tb.Context(), tb.Output(), all...); err != nil {
		tb.Fatal(err)
	}
}
