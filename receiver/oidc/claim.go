package oidc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Claim is a condition on what a token says beside issuer, audience and times.
type Claim struct {
	// Names are claims of which at least one must be there. Each that is there
	// must be one of Values, or a list that has one of them. The words of scope
	// and scp are a list (RFC 9068, section 2.2.3).
	Names  []string
	Values []string
}

// wrong says what is, or nothing.
func (c Claim) wrong(claims map[string]any) string {
	found := false
	for _, name := range c.Names {
		value, there := claims[name]
		if !there {
			continue
		}
		found = true
		if given := words(name, value); !slices.ContainsFunc(given, func(one string) bool { return slices.Contains(c.Values, one) }) {
			return fmt.Sprintf("its claim %s is %.200q, wanted one of %q", name, given, c.Values)
		}
	}
	if !found {
		return fmt.Sprintf("it has no claim %s, wanted one of %q", strings.Join(c.Names, " or "), c.Values)
	}
	return ""
}

// words are the values of a claim; what has none of its own, as an object, has
// no value.
func words(name string, value any) []string {
	switch v := value.(type) {
	case string:
		if name == "scope" || name == "scp" {
			return strings.Fields(v)
		}
		return []string{v}
	case bool:
		return []string{strconv.FormatBool(v)}
	case float64:
		return []string{strconv.FormatFloat(v, 'f', -1, 64)}
	case []any:
		var all []string
		for _, one := range v {
			if text, ok := one.(string); ok {
				all = append(all, text)
			}
		}
		return all
	}
	return nil
}
