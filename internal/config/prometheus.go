package config

// Prometheus is a server that rules may query.
type Prometheus struct {
	Name string
	// URL is what comes before /api/v1.
	URL string
	// Bearer or Basic says who asks; neither is set where nobody need say.
	Bearer Secret
	Basic  *Basic
	// CA is the path of a PEM file of authorities; empty for the system's.
	CA string
}

func (f field) prometheus() []Prometheus {
	entries, _ := f.entries()
	var list []Prometheus
	for _, e := range entries {
		list = append(list, e.value.prometheusServer(e.value.at(e.key).name()))
	}
	return list
}

func (f field) prometheusServer(name string) Prometheus {
	p := Prometheus{Name: name}
	ok := f.mapping(fields{
		"url": func(f field) {
			text, ok := f.text()
			if !ok {
				return
			}
			if u, ok := f.parseURL(text, "http", "https"); ok && (u.RawQuery != "" || u.Fragment != "") {
				f.bad("a query or a fragment means nothing here: write only what comes before /api/v1")
			}
			p.URL = text
		},
		"bearer": func(f field) { p.Bearer = f.secret() },
		"basic": func(f field) {
			b := f.basic()
			p.Basic = &b
		},
		"ca": func(f field) { p.CA = f.filePath() },
	})
	switch {
	case ok && p.URL == "":
		f.bad("there is no url: write where it is, as url: http://prometheus:9090")
	case p.Bearer.IsSet() && p.Basic != nil:
		f.bad("bearer and basic do not go together: remove one")
	}
	return p
}
