package config

import (
	"net/netip"
	"slices"
)

// Source is one sender of webhooks, at /v1/webhooks/NAME.
type Source struct {
	Name, Type string
	Auth       Auth
	// Allow are the networks that its requests may come from; without any it is all the same where from.
	Allow []netip.Prefix
	// Mapping says what of a body becomes which field of an alert; it is set for type json, and only for that.
	Mapping *Mapping
}

const typeJSON = "json"

// SourceTypes are the types that a source may have.
func SourceTypes() []string {
	return []string{"alertmanager", "azuremonitor", "cloudevents", "grafana", typeJSON, "pagerduty"}
}

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
	var auth, mapping, insecure *field
	if !f.mapping(fields{
		"name":     func(f field) { s.Name = f.name() },
		"type":     func(f field) { s.Type = f.choice(SourceTypes()) },
		"auth":     func(f field) { s.Auth, auth = f.auth(tls), &f },
		"allow":    func(f field) { s.Allow = f.networks() },
		"mapping":  func(f field) { s.Mapping, mapping = f.alertMapping(), &f },
		"insecure": func(f field) { insecure = f.ifTrue() },
	}) {
		return s
	}
	if s.Name == "" {
		f.bad("the source has no name: give it one; senders post to /v1/webhooks/NAME")
	}
	switch {
	case s.Type == "":
		f.bad("the source has no type: say what sends, such as type: alertmanager")
	case s.Type == typeJSON && mapping == nil:
		f.bad("type json needs a mapping, which says what of a body is what of an alert: write mapping: {name: body.title, status: \"'firing'\"}")
	case s.Type != typeJSON && mapping != nil && slices.Contains(SourceTypes(), s.Type):
		mapping.bad("a mapping is for type json; %s knows its own bodies: remove it", s.Type)
	}
	if auth == nil {
		f.bad("the source has no auth, and does not start without: write auth: {bearer: {env: NAME}}, or see paramedic help sources")
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
