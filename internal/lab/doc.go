// Package lab runs the real peers that Paramedic works against, on a machine that has nothing but Go: a Kubernetes
// control plane (etcd, kube-apiserver, kube-controller-manager, kube-scheduler, and kwok in place of the kubelets),
// Alertmanager, Prometheus, and Redis, which is C and comes from the distribution unless it is on PATH. Tests and the Kubernetes demo use it; the product does not.
//
// In a test, one cluster for the test and its subtests:
//
//	cluster := lab.Kubernetes(t)
//	namespace := cluster.Namespace(t)
//	service := lab.Deployment(namespace, "profile-service", 2)
//	_, err := cluster.Client().AppsV1().Deployments(namespace).Create(ctx, service, metav1.CreateOptions{})
//	err = cluster.WaitAvailable(ctx, service)
//	entries, err := cluster.Audit(ctx, lab.AuditFilter{User: lab.Paramedic})
//
// A cluster is ready in three to five seconds and takes about 550 MB, so a package with many tests starts one in its
// TestMain by [StartKubernetes] and gives each test a namespace of its own. The servers are built once, which takes
// minutes (package binaries); `go run ./internal/lab/build` does it ahead of time. Nothing is ever skipped for want
// of them.
//
// What is real: the API server with RBAC, validation, and watches; the controllers, so Deployments roll, scale and
// undo as anywhere; the scheduler. What is not: no container runs. kwok declares pods ready a moment after they are
// scheduled, unless their [BehaviourLabel] asks for another fate. Admission by ServiceAccount is off, so pods get no
// tokens; service accounts and their tokens themselves work.
//
// Tokens of users are fixed at start ([Options]); the administrator may bind roles to them at any time. The API
// server writes every change of a workload, pod, node or eviction to an audit log, before it does it and again with
// the outcome, and [Cluster.Audit] reads it without losing any.
//
// Kinds that are not Kubernetes' own are there once their real definitions are installed ([Cluster.CRDs]): KEDA's, and
// those of the vertical autoscaler. Their controllers are not.
//
// A Prometheus ([Prometheus]) can be given a past: samples that it is to have seen before it started. promtool, which
// tests alerting rules, is at [Promtool].
//
// A [RedisServer] keeps nothing on disk; it can be killed, frozen, and started again at its address.
//
// Concurrency: a [Cluster], an [Alertmanager], a [PrometheusServer] and a [RedisServer] may be used by many goroutines. Any number may
// run side by side, also from several processes; each has a folder and ports of its own.
//
// Servers die with the process that started them, even if that is killed: on Linux each is bound to it by the
// parent-death signal. On other Unix systems that holds for an orderly end only.
package lab
