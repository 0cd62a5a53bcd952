package app

import (
	"crypto/rand"
	"time"

	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
	"github.com/tripgen/paramedic/remediators/alertmanager"
	"github.com/tripgen/paramedic/remediators/azure"
	"github.com/tripgen/paramedic/remediators/dns"
	"github.com/tripgen/paramedic/remediators/exec"
	httpremediator "github.com/tripgen/paramedic/remediators/http"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/prometheus"
	"github.com/tripgen/paramedic/remediators/redis"
	"github.com/tripgen/paramedic/remediators/tcp"
	"github.com/tripgen/paramedic/rules"
)

// Tools are the actions and probes of this build.
type Tools struct {
	Remediators *remediators.Registry
	Probers     *verify.Registry
}

// NewTools lists them. Those of a system that is not there can be described, not
// used.
func NewTools(s Systems, now func() time.Time, version string) (Tools, error) {
	client := httpremediator.NewClient(version, nil).Within(s.Egress)
	actions, err := remediators.NewRegistry(
		kubernetes.NewRestart(s.Clusters, now),
		kubernetes.NewScale(s.Clusters),
		kubernetes.NewScaleToZero(s.Clusters),
		kubernetes.NewRestore(s.Clusters),
		kubernetes.NewRollback(s.Clusters),
		kubernetes.NewSwitch(s.Clusters),
		kubernetes.NewJob(s.Clusters),
		kubernetes.NewEvict(s.Clusters),
		kubernetes.NewCordon(s.Clusters),
		kubernetes.NewDrain(s.Clusters, time.After),
		kubernetes.NewCleanup(s.Clusters, now),
		kubernetes.NewAnnotate(s.Clusters),
		kubernetes.NewMemory(s.Clusters),
		httpremediator.NewRequest(client, now),
		exec.NewRun(s.Commands),
		redis.NewClear(s.Redis, now),
		redis.NewTTL(s.Redis, now),
		redis.NewPromote(s.Redis),
		redis.NewReplicate(s.Redis),
		azure.NewTrafficManagerEndpoint(s.Accounts),
		azure.NewCosmosDBFailover(s.Accounts),
		azure.NewDNSRecord(s.Accounts),
		azure.NewPrivateDNSRecord(s.Accounts),
		azure.NewAKSScale(s.Accounts),
		azure.NewVMSSScale(s.Accounts),
		azure.NewVMRestart(s.Accounts),
		azure.NewRedisFlush(s.Accounts),
		azure.NewRedisReboot(s.Accounts),
		azure.NewDataFactoryRun(s.Accounts),
		azure.NewCleanup(s.Accounts),
	)
	if err != nil {
		return Tools{}, err
	}
	probers, err := verify.NewRegistry(
		kubernetes.NewRollout(s.Clusters),
		kubernetes.NewReplicas(s.Clusters),
		httpremediator.NewProbe(client, now),
		httpremediator.NewCompare(client),
		tcp.NewProbe(),
		dns.NewProbe(rand.Reader),
		exec.NewProbe(s.Commands),
		redis.NewProbe(s.Redis),
		prometheus.NewProbe(s.Prometheus),
		alertmanager.NewProbe(s.Alertmanagers),
		azure.NewTrafficManagerProbe(s.Accounts),
		azure.NewCosmosDBProbe(s.Accounts),
	)
	return Tools{Remediators: actions, Probers: probers}, err
}

// Catalog describes the tools to the rule language.
func (t Tools) Catalog(reporters []string) rules.Catalog {
	c := rules.Catalog{
		Actions: map[string]rules.ActionSpec{}, Probes: map[string]rules.ProbeSpec{}, Reporters: reporters,
		Triggers: TriggerKinds(),
	}
	for _, name := range t.Remediators.Names() {
		m, _ := t.Remediators.Get(name)
		s := m.Spec()
		_, undoable := m.(remediators.Undoer)
		c.Actions[name] = rules.ActionSpec{System: s.System, Schema: s.Params, Undoable: undoable, Health: s.Health}
	}
	for _, s := range t.Probers.Specs() {
		c.Probes[s.Kind] = rules.ProbeSpec{System: s.System, Schema: s.Params}
	}
	return c
}
