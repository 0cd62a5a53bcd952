package config

import "go.yaml.in/yaml/v3"

// Redis is how to reach one Redis: one server, the primary that sentinels name, or a cluster. Where only its group is
// known, others work on it.
type Redis struct {
	Name string
	// Group is the worker group that everything about it is done by; empty for each action's own.
	Group string
	// Address is one server's, host:port; empty where Sentinel or Cluster is set.
	Address  string
	Sentinel *RedisSentinel
	// Cluster are the addresses of some of its nodes.
	Cluster []string
	// Username and Password are for AUTH; Username may be empty, and Password not set.
	Username string
	Password Secret
	// DB is the database.
	DB int
	// TLS is nil for connections in clear.
	TLS *RedisTLS
}

// Reachable reports whether this process knows how to reach it.
func (r Redis) Reachable() bool { return r.Address != "" || r.Sentinel != nil || len(r.Cluster) > 0 }

// RedisSentinel says whom to ask for the primary, and what they call it.
type RedisSentinel struct {
	Master    string
	Addresses []string
	Username  string
	Password  Secret
}

// RedisTLS are paths of PEM files, each empty for none, and the name that a server's certificate must have where it is
// not the host.
type RedisTLS struct {
	CA, Cert, Key, ServerName string
}

const maxRedisDB = 1 << 20

func (f field) redis() []Redis {
	entries, _ := f.entries()
	var list []Redis
	for _, e := range entries {
		list = append(list, e.value.redisInstance(e.value.at(e.key).name()))
	}
	return list
}

func (f field) redisInstance(name string) Redis {
	r := Redis{Name: name}
	if !f.mapping(fields{
		"address":  func(f field) { r.Address = f.remoteAddress() },
		"sentinel": func(f field) { r.Sentinel = f.redisSentinel() },
		"cluster":  func(f field) { r.Cluster = f.remoteAddresses() },
		"username": func(f field) { r.Username, _ = f.text() },
		"password": func(f field) { r.Password = f.secret() },
		"db":       func(f field) { r.DB = f.integer(0, maxRedisDB) },
		"tls":      func(f field) { r.TLS = f.redisTLS() },
		"group":    func(f field) { r.Group = f.group() },
	}) {
		return r
	}
	ways := 0
	for _, way := range []string{"address", "sentinel", "cluster"} {
		if f.has(way) {
			ways++
		}
	}
	switch {
	case ways == 0 && r.Group != "" && f.only("group"): // others reach it
	case ways != 1:
		f.bad("exactly one of address, sentinel and cluster says where it is, and there are %d: write one, such as address: redis:6379, or only the group that works on it", ways)
	case r.DB != 0 && f.has("cluster"):
		f.bad("a cluster has database 0 only: remove db")
	case r.Username != "" && !r.Password.IsSet():
		f.bad("the username has no password: write both, or neither")
	}
	return r
}

func (f field) redisSentinel() *RedisSentinel {
	var s RedisSentinel
	ok := f.mapping(fields{
		"master":    func(f field) { s.Master, _ = f.text() },
		"addresses": func(f field) { s.Addresses = f.remoteAddresses() },
		"username":  func(f field) { s.Username, _ = f.text() },
		"password":  func(f field) { s.Password = f.secret() },
	})
	switch {
	case !ok:
	case f.lacks("master", "addresses"):
		f.bad("master and addresses must both be given: what the sentinels call the primary, and where they are")
	case s.Username != "" && !s.Password.IsSet():
		f.bad("the username has no password: write both, or neither")
	}
	return &s
}

func (f field) redisTLS() *RedisTLS {
	var t RedisTLS
	ok := f.mapping(fields{
		"ca":         func(f field) { t.CA = f.filePath() },
		"cert":       func(f field) { t.Cert = f.filePath() },
		"key":        func(f field) { t.Key = f.filePath() },
		"serverName": func(f field) { t.ServerName, _ = f.text() },
	})
	if ok && f.has("cert") != f.has("key") {
		f.bad("cert and key are the client's own and go together: name both PEM files, or neither")
	}
	return &t
}

// remoteAddress is host:port of somebody else, so the host is given.
func (f field) remoteAddress() string {
	text := f.address()
	if len(text) > 0 && text[0] == ':' {
		f.badValue(text, "there is no host: write host:port")
	}
	return text
}

func (f field) remoteAddresses() []string {
	var list []string
	elements := f.list()
	for _, e := range elements {
		list = append(list, e.remoteAddress())
	}
	if f.node.Kind == yaml.SequenceNode && len(elements) == 0 {
		f.bad("the list is empty: write at least one host:port")
	}
	return list
}
