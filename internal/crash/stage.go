package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

// stage is what all iterations share: the cluster, and how Paramedic reaches it.
type stage struct {
	cluster *lab.Cluster
	// program is what a child runs.
	program string
	// kubeconfig is Paramedic's.
	kubeconfig string
	// folder holds the folders of the iterations.
	folder string
}

const roleName = "paramedic-crash"

// newStage starts a cluster whose user Paramedic may do what its action and its
// prober say that they need, and nothing else.
func newStage(ctx context.Context, program, folder string, progress io.Writer) (_ *stage, err error) {
	cluster, err := lab.StartKubernetes(ctx, lab.Options{Folder: folder, Progress: progress})
	if err != nil {
		return nil, err
	}
	s := &stage{cluster: cluster, program: program, folder: folder}
	defer func() {
		if err != nil {
			err = errors.Join(err, cluster.Stop())
		}
	}()
	if s.kubeconfig, err = cluster.KubeconfigFor(lab.Paramedic); err != nil {
		return nil, err
	}
	role := kubernetes.ClusterRole(roleName, &kubernetes.Restart{}, &kubernetes.Rollout{})
	rbac := cluster.Client().RbacV1()
	if _, err := rbac.ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("role: %w", err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: roleName},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: role.Kind, Name: roleName},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: lab.Paramedic}},
	}
	if _, err := rbac.ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return nil, fmt.Errorf("binding: %w", err)
	}
	return s, nil
}
