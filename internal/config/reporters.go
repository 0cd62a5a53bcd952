package config

import "time"

// reporters decodes over what is set already: the log reporter is on unless it is turned down.
func (f field) reporters(r Reporters) Reporters {
	f.mapping(fields{
		"log":     func(f field) { f.mapping(fields{"all": func(f field) { r.Log.All = f.bool() }}) },
		"webhook": func(f field) { r.Webhooks = f.webhooks() },
		"slack":   nil, "pagerduty": nil,
	})
	return r
}

func (f field) webhooks() []Webhook {
	entries, _ := f.entries()
	var list []Webhook
	for _, e := range entries {
		list = append(list, e.value.webhook(e.value.at(e.key).name()))
	}
	return list
}

func (f field) webhook(name string) Webhook {
	w := Webhook{Name: name, Timeout: defaultTimeout}
	plain := false
	var insecure *field
	if !f.mapping(fields{
		"url": func(f field) {
			text, ok := f.text()
			if !ok {
				return
			}
			w.URL = text
			if u, ok := f.parseURL(text, "https", "http"); ok {
				plain = u.Scheme == "http" && !loopbackHost(u.Hostname())
			}
		},
		"auth":      func(f field) { f.mapping(fields{"bearer": func(f field) { w.Bearer = f.secret() }}) },
		"signature": func(f field) { w.Signature = f.secret() },
		"all":       func(f field) { w.All = f.bool() },
		"timeout":   func(f field) { w.Timeout = f.duration(100*time.Millisecond, time.Minute) },
		"insecure":  func(f field) { insecure = f.ifTrue() },
	}) {
		return w
	}
	open := plain && w.Bearer.IsSet()
	switch {
	case w.URL == "":
		f.bad("the webhook has no url: say where to post")
	case open && insecure == nil:
		f.bad("the bearer token would cross the network as plain text: use https, or write insecure: true")
	case !open && insecure != nil:
		insecure.badValue("true", "it stands only beside a bearer token and an http URL: remove it")
	}
	return w
}
