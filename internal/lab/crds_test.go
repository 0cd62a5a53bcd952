package lab_test

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/lab"
)

const scaledObject = `
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: by-queue}
spec:
  scaleTargetRef: {name: shop}
  triggers: [{type: cron, metadata: {timezone: UTC, start: 0 8 * * *, end: 0 20 * * *, desiredReplicas: "3"}}]
---
apiVersion: autoscaling.k8s.io/v1
kind: VerticalPodAutoscaler
metadata: {name: by-use}
spec: {targetRef: {apiVersion: apps/v1, kind: Deployment, name: shop}}
`

func TestCRDs(t *testing.T) {
	t.Parallel()
	cluster := lab.Kubernetes(t)
	ctx := within(t, time.Minute)
	if err := cluster.Apply(ctx, []byte(scaledObject)); err == nil {
		t.Fatal("objects of unknown kinds were accepted")
	}
	cluster.CRDs(t, lab.Keda(), lab.VerticalAutoscaler())
	if err := cluster.Apply(ctx, []byte(scaledObject)); err != nil {
		t.Error(err)
	}
	cluster.CRDs(t, lab.Keda()) // again
}
