package app

import (
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators/alertmanager"
	"github.com/tripgen/paramedic/remediators/azure"
	"github.com/tripgen/paramedic/remediators/exec"
	httpremediator "github.com/tripgen/paramedic/remediators/http"
	"github.com/tripgen/paramedic/remediators/kubernetes"
	"github.com/tripgen/paramedic/remediators/prometheus"
	"github.com/tripgen/paramedic/remediators/redis"
	"github.com/tripgen/paramedic/remediators/webapi"
)

// Systems are what actions and probes can reach, each by the name that rules call
// it. The zero value reaches nothing.
type Systems struct {
	Clusters      kubernetes.Clusters
	Accounts      azure.Accounts
	Redis         redis.Instances
	Prometheus    prometheus.Servers
	Alertmanagers alertmanager.Servers
	Commands      exec.Commands
	// Egress is where HTTP requests may go.
	Egress httpremediator.Egress
}

// systemsOf makes the configured ones. It sends nothing, so what is down is no error.
// The clusters are those that this process is to reach.
func systemsOf(c *config.Config, clusters kubernetes.Clusters, version string) (s Systems, err error) {
	s.Clusters = clusters
	if s.Accounts, err = azureAccounts(c.Azure, version); err != nil {
		return Systems{}, err
	}
	if s.Redis, err = redisInstances(c.Redis); err != nil {
		return Systems{}, err
	}
	if s.Prometheus, err = prometheusServers(c.Prometheus, version); err != nil {
		return Systems{}, err
	}
	if s.Alertmanagers, err = alertmanagers(c.Alertmanagers, version); err != nil {
		return Systems{}, err
	}
	if s.Commands, err = allowedCommands(c.Commands); err != nil {
		return Systems{}, err
	}
	if s.Egress, err = httpremediator.ParseEgress(c.HTTP.Allow); err != nil {
		return Systems{}, fmt.Errorf("http: allow: %w", err)
	}
	return s, nil
}

// azureAccounts makes the configured accounts.
func azureAccounts(configured []config.AzureAccount, version string) (azure.Accounts, error) {
	accounts := azure.Accounts{}
	for _, c := range configured {
		if !c.Reachable() {
			continue
		}
		made := azure.AccountConfig{
			Subscription: c.Subscription, Credential: c.Credential, Tenant: c.Tenant, ClientID: c.ClientID,
			ClientSecret: reader(c.ClientSecret), Cloud: c.Cloud,
		}
		if p := c.Private; p != nil {
			roots, err := authorities(p.CA)
			if err != nil {
				return nil, fmt.Errorf("azure account %q: %w", c.Name, err)
			}
			made.Private = &azure.PrivateCloud{Endpoint: p.Endpoint, Authority: p.Authority, Audience: p.Audience, Roots: roots}
		}
		account, err := azure.Connect(made, version, time.Now)
		if err != nil {
			return nil, fmt.Errorf("azure account %q: %w", c.Name, err)
		}
		accounts[c.Name] = account
	}
	return accounts, nil
}

// reader reads a secret; nil if it is not set.
func reader(s config.Secret) func() (string, error) {
	if !s.IsSet() {
		return nil
	}
	return s.Read
}

func redisInstances(configured []config.Redis) (redis.Instances, error) {
	instances := redis.Instances{}
	for _, c := range configured {
		if !c.Reachable() {
			continue
		}
		made := redis.Config{Address: c.Address, Cluster: c.Cluster, Username: c.Username, Password: reader(c.Password), DB: c.DB}
		if s := c.Sentinel; s != nil {
			made.Sentinel = &redis.Sentinel{Master: s.Master, Addresses: s.Addresses, Username: s.Username, Password: reader(s.Password)}
		}
		if t := c.TLS; t != nil {
			made.TLS = &redis.TLS{CA: t.CA, Cert: t.Cert, Key: t.Key, ServerName: t.ServerName}
		}
		instance, err := redis.NewInstance(made)
		if err != nil {
			return nil, fmt.Errorf("redis %q: %w", c.Name, err)
		}
		instances[c.Name] = instance
	}
	return instances, nil
}

func prometheusServers(configured []config.Server, version string) (prometheus.Servers, error) {
	servers := prometheus.Servers{}
	for _, c := range configured {
		made, err := webAPI(c, version)
		if err != nil {
			return nil, fmt.Errorf("prometheus %q: %w", c.Name, err)
		}
		if servers[c.Name], err = prometheus.NewServer(made); err != nil {
			return nil, fmt.Errorf("prometheus %q: %w", c.Name, err)
		}
	}
	return servers, nil
}

func alertmanagers(configured []config.Server, version string) (alertmanager.Servers, error) {
	servers := alertmanager.Servers{}
	for _, c := range configured {
		made, err := webAPI(c, version)
		if err != nil {
			return nil, fmt.Errorf("alertmanager %q: %w", c.Name, err)
		}
		if servers[c.Name], err = alertmanager.NewServer(made); err != nil {
			return nil, fmt.Errorf("alertmanager %q: %w", c.Name, err)
		}
	}
	return servers, nil
}

// webAPI says how to reach a monitoring system.
func webAPI(c config.Server, version string) (webapi.Config, error) {
	made := webapi.Config{URL: c.URL, Bearer: reader(c.Bearer), Version: version}
	if c.Basic != nil {
		made.Username, made.Password = c.Basic.Username, reader(c.Basic.Password)
	}
	var err error
	made.Roots, err = authorities(c.CA)
	return made, err
}

// authorities are those of a PEM file; nil, which means the system's, without one.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil // which is what package x509 itself means the system's by
	}
	pem, err := os.ReadFile(file) //nolint:gosec // the configuration names it
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca %s: no certificate in it", file)
	}
	return roots, nil
}

func allowedCommands(configured []config.Command) (exec.Commands, error) {
	all := map[string]exec.Command{}
	for _, c := range configured {
		made := exec.Command{
			Path: c.Path, Args: c.Args, Accepts: c.Accepts, Stdin: c.Stdin, Dir: c.Dir, Timeout: c.Timeout,
			Idempotent: c.Idempotent, Probe: c.Probe, Plan: c.Plan, Observe: c.Observe, Undo: c.Undo,
			Env: map[string]exec.Variable{}, Exits: map[int]engine.Class{},
		}
		for name, v := range c.Env {
			variable := exec.Variable{Read: func() (string, error) { return v.Text, nil }}
			if v.Secret.IsSet() {
				variable = exec.Variable{Read: v.Secret.Read, Secret: true}
			}
			made.Env[name] = variable
		}
		for status, class := range c.Exits {
			made.Exits[status] = engine.Class(class)
		}
		all[c.Name] = made
	}
	return exec.NewCommands(all)
}
