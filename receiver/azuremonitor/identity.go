package azuremonitor

import (
	"strings"

	"github.com/tripgen/paramedic/internal/alert"
)

// maxFingerprint bounds what is taken for a fingerprint: it becomes part of keys.
const maxFingerprint = 128

// identify sets the fingerprint to id, or to its hash if it is endless.
func (d *decoding) identify(id string) {
	if len(id) > maxFingerprint {
		id = alert.Fingerprint(map[string]string{"id": id})
	}
	d.alert.Fingerprint = id
}

// identifyBy sets the fingerprint to a hash of named parts.
func (d *decoding) identifyBy(parts map[string]string) {
	d.alert.Fingerprint = alert.Fingerprint(parts)
}

// series are the parts of an alert that has no id: its rule, its resource, and
// the dimensions that its rule splits by.
func (d *decoding) series(rule, resource string) map[string]string {
	parts := map[string]string{"rule": fold(rule), "resource": fold(resource)}
	for _, p := range d.dimensions {
		value := p.value
		if _, ok := resourceID(value); ok {
			value = fold(value)
		}
		parts["dimension "+strings.ToLower(p.name)] = value
	}
	return parts
}

// instance is the last part of an alertId that is one of an alert, not of its
// rule, or a short one of some relay. It is unique by itself.
func instance(alertID string) string {
	id, ok := resourceID(alertID)
	switch {
	case ok && strings.EqualFold(id.ResourceType.String(), "Microsoft.AlertsManagement/alerts"):
		return strings.ToLower(id.Name)
	case !strings.Contains(alertID, "/"):
		return strings.ToLower(alertID)
	default:
		return ""
	}
}

// identifyIncident identifies a Service Health incident, which is announced to
// each subscription by itself.
func (d *decoding) identifyIncident(tracking string) {
	id := tracking
	if sub := d.alert.Labels["subscription"]; sub != "" {
		id += "@" + strings.ToLower(sub)
	}
	d.identify(id)
}
