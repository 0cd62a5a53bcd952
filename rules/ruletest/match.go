package ruletest

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// written is a time as the file writes it.
func written(d time.Duration) string { return model.Duration(d).String() }

// differences are what of an expectation is not so, but for its kind; within is not
// looked at.
func (e expectation) differences(h happening) []string {
	var all []string
	differ := func(what, want, got string) {
		all = append(all, fmt.Sprintf("%s is %s, not %s", what, quoted(got), quoted(want)))
	}
	if e.name != anyName && e.name != h.name {
		differ(e.kind, e.name, h.name)
	}
	for _, f := range []struct{ what, want, got string }{
		{"rule", e.rule, h.rule}, {"attempt", e.attempt, h.attempt}, {"mode", e.mode, h.mode}, {"to", e.to, h.to},
	} {
		if f.want != "" && f.want != f.got && f.want != anyName {
			differ(f.what, f.want, f.got)
		}
	}
	if e.target != "" && !like(h.target, e.target) && (h.target != "" || !like(h.stated, e.target)) {
		got := h.target
		if got == "" {
			got = h.stated
		}
		differ("target", e.target, got)
	}
	if !has(h.alert, e.alert) {
		differ("alert", labelText(e.alert), labelText(h.alert))
	}
	if e.reason != "" && !strings.Contains(h.reason, e.reason) {
		all = append(all, fmt.Sprintf("reason %s does not have the text %s", quoted(h.reason), quoted(e.reason)))
	}
	if e.params != nil && !contains(h.params, e.params) {
		want, err := json.Marshal(e.params)
		if err != nil {
			want = []byte("?")
		}
		differ("params", string(want), string(h.params))
	}
	switch {
	case e.at != nil && h.at != *e.at:
		differ("at", written(*e.at), written(h.at))
	case e.after != nil && h.at < *e.after:
		all = append(all, fmt.Sprintf("it came at %s, and not after %s", written(h.at), written(*e.after)))
	case e.before != nil && h.at > *e.before:
		all = append(all, fmt.Sprintf("it came at %s, and not before %s", written(h.at), written(*e.before)))
	}
	return all
}

func quoted(s string) string {
	if s == "" {
		return "nothing"
	}
	if strings.ContainsAny(s, " ,") && !strings.HasPrefix(s, "{") {
		return fmt.Sprintf("%q", s)
	}
	return s
}

func (e expectation) fits(h happening) bool {
	return e.kind == h.kind && len(e.differences(h)) == 0
}

// contains reports whether JSON has, at least, the values of another.
func contains(params json.RawMessage, want any) bool {
	var got any
	if err := json.Unmarshal(params, &got); err != nil {
		return false
	}
	return within(got, want)
}

func within(got, want any) bool {
	wanted, isObject := want.(map[string]any)
	object, ok := got.(map[string]any)
	if !isObject || !ok {
		return reflect.DeepEqual(got, want)
	}
	return !slices.ContainsFunc(slices.Collect(maps.Keys(wanted)), func(name string) bool {
		value, has := object[name]
		return !has || !within(value, wanted[name])
	})
}

// inOrder finds the happenings that meet expectations in order: as many of them as
// can be, from the first on, each as early as the ones behind it allow.
func inOrder(expect []expectation, all []happening) []int {
	// can[i][j] says that j can meet i, and others before it all before i.
	can := make([][]bool, len(expect))
	met := 0
	for i, e := range expect {
		can[i] = make([]bool, len(all))
		last := -1 // the latest before j that can meet i-1
		for j, h := range all {
			since := time.Duration(0)
			if last >= 0 {
				since = all[last].at
			}
			if (i == 0 || last >= 0) && e.fits(h) && e.inTime(h.at-since) {
				can[i][j] = true
				met = i + 1
			}
			if i > 0 && can[i-1][j] {
				last = j
			}
		}
	}
	found := make([]int, met)
	for i := met - 1; i >= 0; i-- {
		found[i] = slices.Index(can[i], true)
		if i == met-1 {
			continue
		}
		next := found[i+1]
		for !expect[i+1].inTime(all[next].at - all[found[i]].at) {
			found[i] += 1 + slices.Index(can[i][found[i]+1:], true)
		}
	}
	return found
}

// inTime reports whether an expectation may come so long after the one before.
func (e expectation) inTime(after time.Duration) bool { return e.within == nil || after <= *e.within }

// nearest is the happening of the kind of an expectation that differs from it least,
// of several the first that is not before.
func nearest(e expectation, all []happening, before int) (happening, int, bool) {
	best, least := -1, 0
	for i, h := range all {
		if h.kind != e.kind {
			continue
		}
		n := len(e.differences(h)) * 2
		if i <= before {
			n++
		}
		if best < 0 || n < least {
			best, least = i, n
		}
	}
	if best < 0 {
		return happening{}, -1, false
	}
	return all[best], best, true
}

// String is a happening as a test would expect it.
func (h happening) String() string {
	name := h.name
	if name == "" {
		name = "nothing"
	}
	parts := []string{fmt.Sprintf("at: %s, %s: %s", written(h.at), h.kind, name)}
	for _, f := range []struct{ what, value string }{{"rule", h.rule}, {"attempt", h.attempt}, {"to", h.to}} {
		if f.value != "" && f.value != h.name {
			parts = append(parts, f.what+": "+f.value)
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
