package e2e

import (
	"context"
	"fmt"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/lab"
)

// Allow binds a role to a user, in all namespaces, and makes the role first.
func Allow(ctx context.Context, cluster *lab.Cluster, user string, role *rbacv1.ClusterRole) error {
	rbac := cluster.Client().RbacV1()
	if _, err := rbac.ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("role %s: %w", role.Name, err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: role.Kind, Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
	if _, err := rbac.ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("role %s for %s: %w", role.Name, user, err)
	}
	return nil
}

// AlertmanagerConfig sends every group of alerts to the webhook, with the token
// in the file, and repeats it while it fires. A group is one namespace.
func AlertmanagerConfig(webhook, tokenFile string, repeat time.Duration) string {
	return fmt.Sprintf(`route:
  receiver: paramedic
  group_by: [namespace]
  group_wait: 50ms
  group_interval: 500ms
  repeat_interval: %s
receivers:
- name: paramedic
  webhook_configs:
  - url: %s
    send_resolved: true
    http_config:
      authorization: {type: Bearer, credentials_file: %q}
`, repeat, webhook, tokenFile)
}
