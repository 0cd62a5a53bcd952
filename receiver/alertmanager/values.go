package alertmanager

import (
	"fmt"

	"github.com/tripgen/paramedic/receiver/remark"
)

// text reads a string; null is the empty one.
func (d *decoding) text() (string, error) {
	switch kind := d.json.PeekKind(); kind {
	case '"', 'n', 0:
		token, err := d.json.ReadToken()
		if err != nil || kind == 'n' {
			return "", err
		}
		return token.String(), nil
	default:
		return "", unusable("it is a JSON %s; it must be a string", remark.KindName(kind))
	}
}

// looseText reads a string, or any other value as its JSON text.
func (d *decoding) looseText() (string, error) {
	if kind := d.json.PeekKind(); kind == '"' || kind == 'n' {
		return d.text()
	}
	value, err := d.json.ReadValue()
	return string(value), err
}

// strings reads an object of strings; null is the empty one. Other values are
// an error, or, if loose is not nil, taken as JSON text and told to it. The map
// is never nil.
func (d *decoding) strings(loose func(name, value string)) (map[string]string, error) {
	all := make(map[string]string)
	switch kind := d.json.PeekKind(); kind {
	case 'n':
		return all, d.json.SkipValue()
	case '{', 0:
	default:
		return nil, unusable("it is a JSON %s; it must be an object", remark.KindName(kind))
	}
	err := d.object(func(raw []byte) (err error) {
		name := knownName(raw)
		if kind := d.json.PeekKind(); loose != nil && kind != '"' && kind != 'n' {
			if all[name], err = d.looseText(); err == nil {
				loose(remark.Clip(name), remark.Clip(all[name]))
			}
		} else {
			all[name], err = d.text()
		}
		if err != nil {
			return fmt.Errorf("%q: %w", remark.Clip(name), err)
		}
		return nil
	})
	return all, err
}

// knownName is string(name), without an allocation for what every body has.
func knownName(name []byte) string {
	switch string(name) {
	case "status":
		return "status"
	case "labels":
		return "labels"
	case "annotations":
		return "annotations"
	case "startsAt":
		return "startsAt"
	case "endsAt":
		return "endsAt"
	case "generatorURL":
		return "generatorURL"
	case "fingerprint":
		return "fingerprint"
	case "alertname":
		return "alertname"
	case "severity":
		return "severity"
	case "instance":
		return "instance"
	case "job":
		return "job"
	case "namespace":
		return "namespace"
	case "summary":
		return "summary"
	case "description":
		return "description"
	case "runbook_url":
		return "runbook_url"
	default:
		return string(name)
	}
}
