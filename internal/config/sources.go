package config

import "go.yaml.in/yaml/v3"

const anybody = "none"

func (f field) sources(listen string, tls *TLS) []Source {
	var list []Source
	names := map[string]int{}
	for _, e := range f.list() {
		s := e.source(listen, tls)
		if first, twice := names[s.Name]; twice && s.Name != "" {
			e.badValue(s.Name, "another source, in line %d, has this name: names are unique", first)
		}
		names[s.Name] = e.node.Line
		list = append(list, s)
	}
	return list
}

func (f field) source(listen string, tls *TLS) Source {
	var s Source
	var auth, insecure *field
	if !f.mapping(fields{
		"name": func(f field) { s.Name = f.name() },
		"type": func(f field) {
			s.Type = f.choice([]string{"alertmanager", "azuremonitor", "cloudevents", "grafana", "pagerduty"}, "json")
		},
		"auth":     func(f field) { s.Auth, auth = f.auth(tls), &f },
		"insecure": func(f field) { insecure = f.ifTrue() },
	}) {
		return s
	}
	if s.Name == "" {
		f.bad("the source has no name: give it one; senders post to /v1/webhooks/NAME")
	}
	if s.Type == "" {
		f.bad("the source has no type: say what sends, such as type: alertmanager")
	}
	if auth == nil {
		f.bad("the source has no auth, and does not start without: write auth: {bearer: {env: NAME}}, basic or mtls")
		return s
	}
	auth.judgeOpen(s.Auth.None, insecure, listen)
	return s
}

// ifTrue is the field if it says true.
func (f field) ifTrue() *field {
	if f.bool() {
		return &f
	}
	return nil
}

// judgeOpen refuses what is open to more than this machine, unless that is insisted on.
func (f field) judgeOpen(open bool, insecure *field, listen string) {
	switch {
	case open && insecure == nil && !isLoopback(listen):
		f.badValue(anybody, "listen is %q, so others than this machine reach it: give credentials, listen on 127.0.0.1, or write insecure: true beside it", listen)
	case !open && insecure != nil:
		insecure.badValue("true", "it stands only beside auth: none: remove it")
	}
}

// isAnybody reports whether the field is the word none.
func (f field) isAnybody() bool {
	return f.node.Kind == yaml.ScalarNode && f.node.Value == anybody
}

func (f field) auth(tls *TLS) Auth {
	if f.isAnybody() {
		return Auth{None: true}
	}
	var a Auth
	if f.node.Kind != yaml.MappingNode {
		f.bad("%s: write {bearer: ...}, {basic: ...}, {mtls: ...} or none", f.isA())
		return a
	}
	before := len(f.d.problems)
	f.mapping(fields{
		"bearer": func(f field) {
			for _, e := range f.oneOrMore() {
				a.Bearer = append(a.Bearer, e.secret())
			}
		},
		"basic": func(f field) {
			for _, e := range f.oneOrMore() {
				a.Basic = append(a.Basic, e.basic())
			}
		},
		"mtls": func(f field) {
			for _, e := range f.oneOrMore() {
				a.MTLS = append(a.MTLS, e.certificateNames()...)
			}
			if tls == nil || tls.ClientCA == "" {
				f.bad("client certificates need an authority to verify them: set tls.clientCA")
			}
		},
		"entra": nil,
	})
	if len(f.d.problems) == before && len(a.Bearer)+len(a.Basic)+len(a.MTLS) == 0 {
		f.bad("it is empty: write {bearer: ...}, {basic: ...}, {mtls: ...} or none")
	}
	return a
}

func (f field) basic() Basic {
	var b Basic
	if f.mapping(fields{
		"username": func(f field) { b.Username, _ = f.text() },
		"password": func(f field) { b.Password = f.secret() },
	}) && (b.Username == "" || !b.Password.IsSet()) {
		f.bad("username and password must both be given")
	}
	return b
}

func (f field) certificateNames() []string {
	var names []string
	if f.mapping(fields{"names": func(f field) {
		for _, e := range f.oneOrMore() {
			name, _ := e.text()
			names = append(names, name)
		}
	}}) && len(names) == 0 {
		f.bad("there are no names: list the certificates' common names, DNS names or URIs: names: [alertmanager]")
	}
	return names
}
