package azuremonitor

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tripgen/paramedic/receiver/remark"
)

// label sets one of the labels that doc.go lists; an empty one is left out.
func (d *decoding) label(name, value string) {
	if value != "" {
		d.alert.Labels[name] = value
	}
}

// note sets an annotation; an empty one is left out, and the first one stays.
func (d *decoding) note(name, value string) {
	if _, set := d.alert.Annotations[name]; value != "" && !set {
		d.alert.Annotations[name] = value
	}
}

// labels and notes set several, each {label or annotation, member}.
func (d *decoding) labels(o object, named ...[2]string) {
	for _, n := range named {
		d.label(n[0], o.loose(n[1]))
	}
}

func (d *decoding) notes(o object, named ...[2]string) {
	for _, n := range named {
		d.note(n[0], o.loose(n[1]))
	}
}

// collect reads an object of names that others chose, in the order sent. It is
// described loosely: what is no object is a warning.
func (d *decoding) collect(to []pair, o object, name string) []pair {
	switch value := o.members[name]; {
	case !o.has(name):
	case value.Kind() != '{':
		d.warnings.Addf("%s is a JSON %s; it must be an object; left out", o.at(name), remark.KindName(value.Kind()))
	default:
		d.each(o.at(name), value, func(name string, value jsontext.Value) {
			to = append(to, pair{name, looseText(value)})
		})
	}
	return to
}

// adopt puts pairs into a map under their own names, or, where such a name is
// taken or reserved, with prefix.
func (d *decoding) adopt(to map[string]string, prefix string, rename func(string) string, pairs []pair) {
	given := make(map[string]string, len(pairs))
	for _, p := range pairs {
		name := p.name
		if rename != nil {
			name = rename(name)
		}
		if name == "" {
			d.warnings.Addf("a name for %q is empty; left out", remark.Clip(p.value))
			continue
		}
		if before, twice := given[name]; twice {
			if before != p.value {
				d.warnings.Addf("%q is given twice, as %q and as %q; the first is used", remark.Clip(name), remark.Clip(before), remark.Clip(p.value))
			}
			continue
		}
		given[name] = p.value
		if now, set := to[name]; set && now == p.value {
			continue
		} else if set || reserved(name) {
			name = prefix + name
		}
		if _, set := to[name]; !set {
			to[name] = p.value
		}
	}
}

// reserved names are those by which rules choose resources: nothing that a
// rule's query returns may pass for one, also where it is not set.
func reserved(name string) bool {
	switch name {
	case "alertname", "severity", "alert_type", "monitoring_service", "signal_type", "condition_type",
		"resource", "resource_name", "resource_type", "resource_group", "subscription", "scope":
		return true
	default:
		return false
	}
}

// labelName makes a label's name of a dimension's: microsoft.resourceId is
// microsoft_resourceId. https://prometheus.io/docs/concepts/data_model/
func labelName(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '_', 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z':
			b.WriteRune(r)
		case '0' <= r && r <= '9':
			if b.Len() == 0 {
				b.WriteByte('_')
			}
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	return b.String()
}

// dimensionsOf reads [{name, value}], [] or null.
func (d *decoding) dimensionsOf(o object, name string) {
	for _, dim := range o.objects(name) {
		d.dimensions = append(d.dimensions, pair{dim.loose("name", "Name"), dim.loose("value", "Value")})
	}
}
