package config

func (f field) api(listen string) API {
	var a API
	var auth, insecure *field
	if !f.mapping(fields{
		"auth":     func(f field) { a, auth = f.apiAuth(), &f },
		"insecure": func(f field) { insecure = f.ifTrue() },
	}) {
		return a
	}
	if auth == nil {
		f.bad("the API has no auth, and does not start without: write auth: {tokens: [...]}, or remove api to have none")
		return a
	}
	auth.judgeOpen(a.None, insecure, listen)
	return a
}

func (f field) apiAuth() API {
	if f.isAnybody() {
		return API{None: true}
	}
	var a API
	before := len(f.d.problems)
	f.mapping(fields{
		"tokens": func(f field) {
			names := map[string]int{}
			for _, e := range f.list() {
				t := e.token()
				if first, twice := names[t.Name]; twice && t.Name != "" {
					e.badValue(t.Name, "another token, in line %d, has this name: names are unique", first)
				}
				names[t.Name] = e.node.Line
				a.Tokens = append(a.Tokens, t)
			}
		},
		"oidc": nil,
	})
	if len(f.d.problems) == before && len(a.Tokens) == 0 {
		f.bad("there are no tokens: write auth: {tokens: [{name: NAME, role: operator, token: {env: NAME}}]}")
	}
	return a
}

func (f field) token() Token {
	var t Token
	if f.mapping(fields{
		"name":  func(f field) { t.Name = f.name() },
		"role":  func(f field) { t.Role = Role(f.choice([]string{string(Viewer), string(Operator), string(Admin)})) },
		"token": func(f field) { t.Token = f.secret() },
	}) && (t.Name == "" || t.Role == "" || !t.Token.IsSet()) {
		f.bad("name, role and token must all be given")
	}
	return t
}
