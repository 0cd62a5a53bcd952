package rules

import (
	"regexp/syntax"
	"slices"

	"github.com/prometheus/alertmanager/pkg/labels"
)

// maxAlternatives bounds the texts that one regular expression is indexed under.
const maxAlternatives = 256

// index finds the rules that an alert may set off without asking all of them.
// Each rule stands under the values that one of its matchers demands, the one
// that it shares with the fewest others.
type index struct {
	// byLabel is label name, value, and the rules' numbers.
	byLabel map[string]map[string][]int
	// rest are the rules that demand no particular value.
	rest []int
}

// demand is a label and the only values of it that a matcher lets through.
type demand struct {
	label  string
	values []string
}

func newIndex(rules []*rule) index {
	demands := make([][]demand, len(rules))
	load := map[[2]string]int{}
	for i, r := range rules {
		demands[i] = r.demands()
		for _, d := range demands[i] {
			for _, v := range d.values {
				load[[2]string{d.label, v}]++
			}
		}
	}
	ix := index{byLabel: map[string]map[string][]int{}}
	for i := range rules {
		best, ok := lightest(demands[i], load)
		if !ok {
			ix.rest = append(ix.rest, i)
			continue
		}
		values := ix.byLabel[best.label]
		if values == nil {
			values = map[string][]int{}
			ix.byLabel[best.label] = values
		}
		for _, v := range best.values {
			values[v] = append(values[v], i)
		}
	}
	return ix
}

func lightest(demands []demand, load map[[2]string]int) (demand, bool) {
	var best demand
	lowest := 0
	for i, d := range demands {
		heaviest := 0
		for _, v := range d.values {
			heaviest = max(heaviest, load[[2]string{d.label, v}])
		}
		if i == 0 || heaviest < lowest {
			best, lowest = d, heaviest
		}
	}
	return best, len(demands) > 0
}

// candidates are the numbers of the rules that an alert with these labels may
// set off, ascending.
func (ix index) candidates(of map[string]string) []int {
	found := slices.Clone(ix.rest)
	for name, value := range of {
		found = append(found, ix.byLabel[name][value]...)
	}
	slices.Sort(found)
	return found
}

// demands are those of the rule's matchers. An alert of a trigger bears the name
// of its rule.
func (r *rule) demands() []demand {
	if r.trigger != nil {
		return []demand{{labelAlertName, []string{r.rule.Name}}}
	}
	return demandsOf(r.matchers)
}

// demandsOf are what matchers demand: an equality one value, a regular
// expression that is a list of texts one of them. A matcher that lets the empty
// text through demands nothing, since the label may be missing.
func demandsOf(ms labels.Matchers) []demand {
	var all []demand
	for _, m := range ms {
		switch {
		case m.Matches(""):
		case m.Type == labels.MatchEqual:
			all = append(all, demand{m.Name, []string{m.Value}})
		case m.Type == labels.MatchRegexp:
			re, err := syntax.Parse(m.Value, syntax.Perl)
			if err != nil {
				continue
			}
			if values, ok := alternatives(re); ok {
				slices.Sort(values)
				all = append(all, demand{m.Name, slices.Compact(values)})
			}
		}
	}
	return all
}

// alternatives lists all texts that a regular expression matches as a whole, if
// they are few.
func alternatives(re *syntax.Regexp) ([]string, bool) {
	switch re.Op {
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpLiteral:
		return []string{string(re.Rune)}, re.Flags&syntax.FoldCase == 0
	case syntax.OpCapture:
		return alternatives(re.Sub[0])
	case syntax.OpCharClass:
		var all []string
		for i := 0; i < len(re.Rune); i += 2 {
			if int(re.Rune[i+1])-int(re.Rune[i])+len(all) >= maxAlternatives {
				return nil, false
			}
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				all = append(all, string(r))
			}
		}
		return all, true
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			some, ok := alternatives(sub)
			if !ok || len(all)+len(some) > maxAlternatives {
				return nil, false
			}
			all = append(all, some...)
		}
		return all, true
	case syntax.OpConcat:
		all := []string{""}
		for _, sub := range re.Sub {
			some, ok := alternatives(sub)
			if !ok || len(all)*len(some) > maxAlternatives {
				return nil, false
			}
			all = product(all, some)
		}
		return all, true
	default:
		return nil, false
	}
}

func product(heads, tails []string) []string {
	all := make([]string, 0, len(heads)*len(tails))
	for _, h := range heads {
		for _, t := range tails {
			all = append(all, h+t)
		}
	}
	return all
}
