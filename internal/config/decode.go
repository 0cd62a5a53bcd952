package config

import (
	"path/filepath"
	"strings"
)

// config decodes the whole document.
func (d *decoder) config(root field) Config {
	c := defaults()
	c.Data = filepath.Join(d.folder, defaultData)
	c.Rules = []string{filepath.Join(d.folder, defaultRules)}
	var data, sources, api *field
	root.mapping(fields{
		"listen":         func(f field) { c.Listen, c.ListenWritten = f.address(), true },
		"tls":            func(f field) { c.TLS = f.tls() },
		"data":           func(f field) { c.Data, data = f.filePath(), &f },
		"bus":            func(f field) { c.Bus = f.bus() },
		"rules":          func(f field) { c.Rules = f.globs() },
		"sources":        func(f field) { sources = &f },
		"trustedProxies": func(f field) { c.TrustedProxies = f.proxies() },
		"clusters":       func(f field) { c.Clusters = f.clusters() },
		"azure":          func(f field) { c.Azure = f.azure() },
		"redis":          func(f field) { c.Redis = f.redis() },
		"http":           func(f field) { c.HTTP = f.http() },
		"actions":        func(f field) { c.Actions = f.actions() },
		"commands":       func(f field) { c.Commands = f.commands() },
		"reporters":      func(f field) { c.Reporters = f.reporters(c.Reporters) },
		"worker": func(f field) {
			f.mapping(fields{
				"group":       func(f field) { c.Worker.Group = f.group() },
				"concurrency": func(f field) { c.Worker.Concurrency = f.integer(1, 1000) },
			})
		},
		"api": func(f field) { api = &f },
		"log": func(f field) {
			f.mapping(fields{
				"level":  func(f field) { c.Log.Level = f.level() },
				"format": func(f field) { c.Log.Format = Format(f.choice([]string{string(JSON), string(Text)})) },
			})
		},
		"prometheus":    func(f field) { c.Prometheus = f.servers("http://prometheus:9090") },
		"alertmanagers": func(f field) { c.Alertmanagers = f.servers("http://alertmanager:9093") },
	})
	// These two are judged by the address and the certificates, wherever in the file those stand.
	if sources != nil {
		c.Sources = sources.sources(c.Listen, c.TLS)
	}
	if api != nil {
		c.API = api.api(c.Listen)
	}
	if c.Bus.URL != "" {
		c.Data = ""
		if data != nil {
			data.bad("it is the folder of the embedded bus, and bus.url names another: remove one")
		}
	}
	return c
}

func (f field) tls() *TLS {
	var t TLS
	ok := f.mapping(fields{
		"cert":     func(f field) { t.Cert = f.filePath() },
		"key":      func(f field) { t.Key = f.filePath() },
		"clientCA": func(f field) { t.ClientCA = f.filePath() },
	})
	if ok && (t.Cert == "" || t.Key == "") {
		f.bad("cert and key must both be given: name the two PEM files")
	}
	return &t
}

func (f field) bus() Bus {
	var b Bus
	ok := f.mapping(fields{
		"url": func(f field) {
			text, ok := f.text()
			for one := range strings.SplitSeq(text, ",") {
				if ok {
					f.parseURL(strings.TrimSpace(one), "nats", "tls", "ws", "wss")
				}
			}
			b.URL = text
		},
		"credentials": func(f field) { b.Credentials = f.filePath() },
		"domain":      func(f field) { b.Domain = f.name() },
		"replicas": func(f field) {
			if b.Replicas = f.integer(1, 5); b.Replicas%2 == 0 && b.Replicas > 0 {
				f.badValue(f.node.Value, "an even number of replicas outlives no more losses than one less: write 1, 3 or 5")
			}
		},
		"maxStore": func(f field) { b.MaxStore = f.size() },
	})
	switch {
	case !ok:
	case b.URL == "" && b.Credentials != "":
		f.bad("credentials are for an external cluster: give url, too, or remove them")
	case b.URL == "" && b.Domain != "":
		f.bad("domain is one of an external cluster: give url, too, or remove it")
	case b.URL == "" && b.Replicas > 1:
		f.bad("the embedded bus has one server and so one replica: give url, or remove replicas")
	}
	if b.Replicas == 0 {
		b.Replicas = 1
		if b.URL != "" {
			b.Replicas = defaultReplicas
		}
	}
	return b
}

func (f field) globs() []string {
	elements := f.list()
	globs := make([]string, 0, len(elements))
	for _, e := range elements {
		glob := e.filePath()
		if _, err := filepath.Match(glob, ""); err != nil {
			e.badValue(e.node.Value, "this is not a glob: mind the brackets and backslashes")
		}
		globs = append(globs, glob)
	}
	return globs
}

func (f field) clusters() []Cluster {
	entries, _ := f.entries()
	var list []Cluster
	for _, e := range entries {
		c := Cluster{Name: e.value.at(e.key).name()}
		ok := e.value.mapping(fields{
			"kubeconfig": func(f field) { c.Kubeconfig = f.filePath() },
			"context":    func(f field) { c.Context, _ = f.text() },
			"inCluster":  func(f field) { c.InCluster = f.bool() },
			"group":      func(f field) { c.Group = f.group() },
		})
		switch {
		case !ok:
		case c.InCluster && (c.Kubeconfig != "" || c.Context != ""):
			e.value.bad("inCluster takes the pod's own account, so kubeconfig and context do not go with it: remove them, or inCluster")
		case c.Kubeconfig == "" && c.Context != "":
			e.value.bad("context is one of a kubeconfig: give kubeconfig, too, or remove it")
		case !c.Reachable() && c.Group == "":
			e.value.bad("nothing says how to reach the cluster: write {kubeconfig: FILE, context: NAME} or {inCluster: true}, or, if the workers of a group do, {group: NAME}")
		}
		list = append(list, c)
	}
	return list
}
