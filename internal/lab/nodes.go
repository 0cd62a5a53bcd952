package lab

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// addNodes makes node-1 to node-n and waits until each may take pods.
func (c *Cluster) addNodes(ctx context.Context, n int) error {
	for i := 1; i <= n; i++ {
		name := fmt.Sprintf("node-%d", i)
		room := corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("32"),
			corev1.ResourceMemory: resource.MustParse("256Gi"),
			corev1.ResourcePods:   resource.MustParse("1000"),
		}
		node := &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
				corev1.LabelHostname:   name,
				corev1.LabelOSStable:   "linux",
				corev1.LabelArchStable: "amd64",
			}},
			Status: corev1.NodeStatus{Allocatable: room, Capacity: room},
		}
		if _, err := c.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("lab: create %s: %w", name, err)
		}
	}
	err := poll(ctx, func(ctx context.Context) error {
		for _, p := range c.processes {
			if p.ended() {
				return final(p.failed(fmt.Errorf("%w: %w", errEnded, p.exit())))
			}
		}
		nodes, err := c.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("list nodes: %w", err)
		}
		for i := range nodes.Items {
			if err := schedulable(&nodes.Items[i]); err != nil {
				return err
			}
		}
		return nil
	})
	var down *StartError
	if err == nil || errors.As(err, &down) {
		return err
	}
	// kwok and the controller manager both have a hand in it, so both are shown.
	for _, p := range c.processes[len(c.processes)-3:] {
		err = fmt.Errorf("%w\n--- end of the log of %s ---\n%s", err, p.name, p.tail())
	}
	return fmt.Errorf("lab: nodes: %w", err)
}

// schedulable says what keeps pods off the node.
func schedulable(node *corev1.Node) error {
	if len(node.Spec.Taints) > 0 {
		return fmt.Errorf("%s is tainted %s", node.Name, node.Spec.Taints[0].Key)
	}
	for i := range node.Status.Conditions {
		if node.Status.Conditions[i].Type == corev1.NodeReady && node.Status.Conditions[i].Status == corev1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("%s is not ready", node.Name)
}
