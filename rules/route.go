package rules

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// routes reads {reporter: where in it}. An empty mapping reports nowhere.
func (c *compiler) routes(f *file, n *yaml.Node, what string) []engine.Routing {
	if n.Kind != yaml.MappingNode {
		f.errorf(n, "%s is a mapping of reporters and where in them, as {slack: \"#ops\"}, not %s", what, describe(n))
		return nil
	}
	routes := []engine.Routing{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !slices.Contains(c.catalog.Reporters, key.Value) {
			f.errorf(key, "there is no reporter %q%s", key.Value, hint(key.Value, c.catalog.Reporters))
			continue
		}
		r := engine.Routing{Reporter: key.Value}
		if !isNull(value) {
			to, ok := f.text(value, what+"."+key.Value)
			if ok && hasExpression(to) {
				f.errorf(value, "this version does not have expressions in %s yet: write the text out", what)
			}
			r.To = func(engine.Scope) (string, error) { return to, nil }
		}
		routes = append(routes, r)
	}
	return routes
}
