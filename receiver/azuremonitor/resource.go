package azuremonitor

import (
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
)

// What is longer, or has more parts, is not taken for an ARM id. Azure's own
// limit is not written down; real ones have some hundred characters. The parser
// takes time with the square of the parts.
const (
	maxResourceID    = 2048
	maxResourceParts = 64
)

// resourceID parses an ARM id. A name is none.
func resourceID(s string) (*arm.ResourceID, bool) {
	if !strings.HasPrefix(s, "/") || len(s) > maxResourceID || strings.Count(s, "/") > maxResourceParts {
		return nil, false
	}
	id, err := arm.ParseResourceID(s)
	if err != nil || id.Name == "" {
		return nil, false
	}
	return id, true
}

// fold is the form in which ARM ids are compared.
func fold(id string) string { return strings.ToLower(strings.TrimRight(strings.TrimSpace(id), "/")) }

// resources says what is affected. Targets are what the rule watches, items what
// of it is affected: nothing, names, or whole ids. A name is that of a target,
// where one has it; otherwise, for example a host in a workspace, only the
// subscription is known, and neither type nor group.
func (d *decoding) resources(targets, items []string) {
	var affected, name string
	switch {
	case len(items) > 0:
		affected = items[0]
	case len(targets) > 0:
		affected = targets[0]
	default:
		return
	}
	if _, whole := resourceID(affected); !whole {
		for _, t := range targets {
			if id, ok := resourceID(t); ok && strings.EqualFold(id.Name, affected) {
				// The target's id is often in lower case; the item's name is not.
				name, affected = affected, t
				break
			}
		}
	}
	d.label("resource", affected)
	id, whole := resourceID(affected)
	switch {
	case whole:
		if name == "" {
			name = id.Name
		}
		d.label("resource_type", id.ResourceType.String())
		d.label("resource_group", id.ResourceGroupName)
		d.label("subscription", id.SubscriptionID)
	case name == "":
		name = affected
	}
	d.label("resource_name", name)
	if len(targets) > 0 {
		d.label("scope", targets[0])
		if scope, ok := resourceID(targets[0]); ok && !whole {
			d.label("subscription", scope.SubscriptionID)
		}
	}
	if len(targets) > 1 {
		d.note("targets", strings.Join(targets, ", "))
	}
	if len(items) > 1 {
		d.note("configuration_items", strings.Join(items, ", "))
	}
}

// nonEmpty is a list without what is empty.
func nonEmpty(all ...string) []string {
	var list []string
	for _, s := range all {
		if s != "" {
			list = append(list, s)
		}
	}
	return list
}

// firstOf is the first that is not empty.
func firstOf(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}
