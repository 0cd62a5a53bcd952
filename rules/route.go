package rules

import (
	"errors"
	"fmt"
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
			r.To = c.routeText(f, value, what+"."+key.Value)
		}
		routes = append(routes, r)
	}
	return routes
}

// routeText reads where in a reporter. One that comes out empty is an error when
// it is rendered: it would be the reporter's own choice, and nobody's.
func (c *compiler) routeText(f *file, n *yaml.Node, what string) func(engine.Scope) (string, error) {
	s, ok := f.text(n, what)
	if !ok {
		return nil
	}
	if s == "" {
		f.errorf(n, "%s is empty: leave the place to the reporter by giving no value, or name one", what)
		return nil
	}
	t, ok := c.places.report.textTemplate(f.scalar(n))
	if !ok {
		return nil
	}
	return func(scope engine.Scope) (string, error) {
		to, err := t.text(&scope)
		if err == nil && to == "" {
			err = errors.New("it is empty")
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", what, err)
		}
		return to, nil
	}
}
