package config

import (
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Config is a whole paramedic.yaml.
type Config struct {
	// Listen is the address of the HTTP server, host:port.
	Listen string
	// ListenWritten says that the file names the address: a process that is a worker
	// only serves health and metrics there, and nothing otherwise.
	ListenWritten bool
	// TLS is nil where the server speaks plain HTTP.
	TLS *TLS
	// Data is the folder of the embedded bus; empty where Bus.URL is set.
	Data string
	Bus  Bus
	// Rules are globs of rule files.
	Rules   []string
	Sources []Source
	// TrustedProxies are the networks whose X-Forwarded-For is believed; without any it is not looked at.
	TrustedProxies []netip.Prefix
	Clusters       []Cluster
	Azure          []AzureAccount
	Redis          []Redis
	HTTP           HTTP
	Prometheus     []Server
	Alertmanagers  []Server
	// Actions are those of workers in other languages.
	Actions []Action
	// Commands are the programs that rules may run.
	Commands  []Command
	Reporters Reporters
	Worker    Worker
	API       API
	Log       Log
}

// TLS is the server's side of it. All three are paths of PEM files.
type TLS struct {
	Cert, Key string
	// ClientCA verifies client certificates; empty where none are asked for.
	ClientCA string
}

// Bus is an external NATS cluster, or, without URL, settings of the embedded server.
type Bus struct {
	// URL is one nats:// or tls:// address, or several with commas between them.
	URL string
	// Credentials is the path of a NATS credentials file, or of an NKey's seed; empty for none.
	Credentials string
	// Domain is the JetStream domain that the streams are in; empty for the connection's own.
	Domain string
	// Replicas of every stream: 1 when embedded, by default 3 on a cluster.
	Replicas int
	// MaxStore bounds what the streams together may store, in bytes; 0 leaves the choice to the bus.
	MaxStore int64
}

// Cluster is how to reach one Kubernetes cluster: by a kubeconfig and perhaps a context of it, or as the pod's own
// service account. Where only its group is known, others work on it.
type Cluster struct {
	Name       string
	Kubeconfig string
	Context    string
	InCluster  bool
	// Group is the worker group that everything about targets in the cluster is done by; empty for each action's own.
	Group string
}

// Reachable reports whether this process knows how to reach the cluster.
func (c Cluster) Reachable() bool { return c.Kubeconfig != "" || c.InCluster }

// Reporters tell people and programs what happened.
type Reporters struct {
	Log      LogReporter
	Webhooks []Webhook
}

// LogReporter writes notices to the program's own log: those that a rule routes there, and with All every one.
type LogReporter struct {
	All bool
}

// Webhook posts notices as JSON: those that a rule routes to {webhook: NAME}, and with All every one.
type Webhook struct {
	Name, URL string
	// Bearer is sent as a bearer token, and Signature is the key that each body is signed with, if they are set.
	Bearer    Secret
	Signature Secret
	All       bool
	// Timeout bounds one request.
	Timeout time.Duration
}

// Worker is the part that calls remediators.
type Worker struct {
	// Group is the worker group whose tasks are done.
	Group string
	// Concurrency is how many tasks are done at once, in each worker group.
	Concurrency int
}

// API is who may use /api/v1. Its zero value serves nobody.
type API struct {
	// None lets everybody in, as admin; Tokens is empty then.
	None   bool
	Tokens []Token
}

// Enabled reports whether anybody may use the API.
func (a API) Enabled() bool { return a.None || len(a.Tokens) > 0 }

// Role is what the holder of a token may do; each includes those before it.
type Role string

// The roles: a viewer reads, an operator also commands runs and the kill switch, an admin does everything.
const (
	Viewer   Role = "viewer"
	Operator Role = "operator"
	Admin    Role = "admin"
)

// Token is a bearer token of the API. Name is who commands in the ledger when it is used.
type Token struct {
	Name  string
	Role  Role
	Token Secret
}

// Format is the form of log lines.
type Format string

// The formats of log lines.
const (
	JSON Format = "json"
	Text Format = "text"
)

// Log is the program's own log.
type Log struct {
	Level  slog.Level
	Format Format
}

// Default is the configuration without any file: no rules and no sources, and everything else as in an empty file but
// the API, which is open to everybody who reaches the loopback address. It is for trying things out; the caller adds
// what it tries.
func Default() *Config {
	c := defaults()
	c.API.None = true
	return &c
}

const (
	defaultListen      = "127.0.0.1:8080"
	defaultData        = "data"
	defaultRules       = "rules/*.yaml"
	defaultReplicas    = 3
	defaultTimeout     = 10 * time.Second
	defaultConcurrency = 8
	defaultGroup       = "default"
)

func defaults() Config {
	return Config{
		Listen:    defaultListen,
		Data:      defaultData,
		Bus:       Bus{Replicas: 1},
		Reporters: Reporters{Log: LogReporter{All: true}},
		Worker:    Worker{Group: defaultGroup, Concurrency: defaultConcurrency},
		Log:       Log{Level: slog.LevelInfo, Format: JSON},
	}
}

// CheckSecrets reads every secret once and reports all that cannot be read, at the places where they are written. A
// program that serves calls it at start; one that only looks at the file need not have the secrets.
func (c *Config) CheckSecrets() error {
	var found Problems
	check := func(s Secret) {
		if _, err := s.Read(); s.IsSet() && err != nil {
			found = append(found, problemOf(s, err))
		}
	}
	for _, s := range c.Sources {
		for _, one := range s.Auth.secrets() {
			check(one)
		}
	}
	for _, a := range c.Azure {
		check(a.ClientSecret)
	}
	for _, r := range c.Redis {
		check(r.Password)
		if r.Sentinel != nil {
			check(r.Sentinel.Password)
		}
	}
	for _, s := range slices.Concat(c.Prometheus, c.Alertmanagers) {
		check(s.Bearer)
		if s.Basic != nil {
			check(s.Basic.Password)
		}
	}
	for _, command := range c.Commands {
		for _, name := range slices.Sorted(maps.Keys(command.Env)) {
			check(command.Env[name].Secret)
		}
	}
	for _, w := range c.Reporters.Webhooks {
		check(w.Bearer)
		check(w.Signature)
	}
	for _, t := range c.API.Tokens {
		check(t.Token)
	}
	return found.orNil()
}

func problemOf(s Secret, err error) Problem {
	if unreadable, ok := errors.AsType[*SecretError](err); ok {
		err = unreadable.Err
	}
	return s.at.problem("%s: %v", s, err)
}
