package cloudevents

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/tripgen/paramedic/receiver/remark"
)

// The bounds of what annotations take of an event's data. Beyond them is what
// belongs into a store of events, not on an alert.
const (
	maxValues   = 64
	maxValue    = 4096
	maxPath     = 256
	maxDataDeep = 8
)

// payload is an event's data: JSON, text, or bytes that are only counted.
type payload struct {
	json  jsontext.Value
	text  string
	bytes int
}

// describe adds data to the annotations.
func (d *decoding) describe(where string, notes map[string]string, p payload) {
	switch {
	case p.bytes > 0:
		d.warnings.Addf("%s: its data is %d bytes that are not text; left out", where, p.bytes)
	case p.text != "":
		notes["data"] = remark.ClipTo(p.text, maxValue)
	case len(p.json) > 0:
		f := flattening{into: notes}
		f.value("data", p.json, 0)
		if f.left > 0 {
			d.warnings.Addf("%s: its data has more than annotations take; %d values are left out", where, f.left)
		}
	}
}

// flattening turns nested objects into dotted names. Arrays stay JSON.
type flattening struct {
	into        map[string]string
	taken, left int
}

func (f *flattening) value(path string, raw jsontext.Value, depth int) {
	if raw.Kind() == '{' && depth < maxDataDeep && f.taken < maxValues {
		all, err := members(raw)
		if err != nil {
			f.left++
			return
		}
		for _, m := range all {
			f.value(path+"."+m.name, m.value, depth+1)
		}
		return
	}
	if raw.Kind() == 'n' {
		return
	}
	// A name with dots may look like a path that is there already.
	if _, ok := f.into[path]; ok || f.taken == maxValues || len(path) > maxPath {
		f.left++
		return
	}
	f.taken++
	s, ok := text(raw)
	if !ok {
		s = string(raw)
	}
	f.into[path] = remark.ClipTo(s, maxValue)
}
