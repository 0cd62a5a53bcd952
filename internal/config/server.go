package config

// Server is a monitoring system's, which rules may ask.
type Server struct {
	Name string
	// URL is what comes before /api.
	URL string
	// Bearer or Basic says who asks; neither is set where nobody need say.
	Bearer Secret
	Basic  *Basic
	// CA is the path of a PEM file of authorities; empty for the system's.
	CA string
}

// servers are those by their name; example is a URL to show to who gave none.
func (f field) servers(example string) []Server {
	entries, _ := f.entries()
	var list []Server
	for _, e := range entries {
		list = append(list, e.value.server(e.value.at(e.key).name(), example))
	}
	return list
}

func (f field) server(name, example string) Server {
	s := Server{Name: name}
	ok := f.mapping(fields{
		"url": func(f field) {
			text, ok := f.text()
			if !ok {
				return
			}
			if u, ok := f.parseURL(text, "http", "https"); ok && (u.RawQuery != "" || u.Fragment != "") {
				f.bad("a query or a fragment means nothing here: write only what comes before /api")
			}
			s.URL = text
		},
		"bearer": func(f field) { s.Bearer = f.secret() },
		"basic": func(f field) {
			b := f.basic()
			s.Basic = &b
		},
		"ca": func(f field) { s.CA = f.filePath() },
	})
	switch {
	case ok && s.URL == "":
		f.bad("there is no url: write where it is, as url: %s", example)
	case s.Bearer.IsSet() && s.Basic != nil:
		f.bad("bearer and basic do not go together: remove one")
	}
	return s
}
