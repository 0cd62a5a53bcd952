package rules

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// Origin is where a setting's value comes from.
type Origin string

// The origins, the nearest first.
const (
	// OriginWritten is in the rule itself, or the set's own budget or window.
	OriginWritten Origin = "written"
	// OriginDefault is in the defaults of the rule's file.
	OriginDefault Origin = "rule set default"
	// OriginBuiltIn is the language's own, where nothing is written.
	OriginBuiltIn Origin = "built in"
)

// Setting is one value that a rule runs under.
type Setting struct {
	// Name is its path in the rule: guards.cooldown, try.restart.within. A budget
	// is budget.NAME.limit or budget.NAME.concurrent, a window window.NAME.
	Name string `json:"name"`
	// Value is as rules write it; "off" or "none" if there is none.
	Value string `json:"value"`
	From  Origin `json:"from"`
	// File and Line are where it is written; empty if it is built in.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// RuleSettings are all settings of one rule, and where they come from.
type RuleSettings struct {
	Rule     string    `json:"rule"`
	File     string    `json:"file"`
	Line     int       `json:"line"`
	Settings []Setting `json:"settings"`
}

// Provenance tells of every rule what it runs under and why, in the order of
// the rules.
func (s *Set) Provenance() []RuleSettings {
	all := make([]RuleSettings, 0, len(s.rules))
	for _, r := range s.rules {
		p := provenance{set: s, rule: r}
		p.conduct()
		p.guards()
		p.budgets()
		p.windows()
		for i := range r.rule.Attempts {
			p.attempt(i)
		}
		all = append(all, RuleSettings{Rule: r.rule.Name, File: r.file.path, Line: r.node.Line, Settings: p.settings})
	}
	return all
}

// provenance collects the settings of one rule.
type provenance struct {
	set      *Set
	rule     *rule
	settings []Setting
}

// none stands for a value that is not there.
const none = "none"

// add takes a setting that stands at n, or is built in if n is nil.
func (p *provenance) add(name, text string, from Origin, f *file, n *yaml.Node) {
	s := Setting{Name: name, Value: text, From: OriginBuiltIn}
	if n != nil {
		s.From, s.File, s.Line = from, f.path, n.Line
	}
	p.settings = append(p.settings, s)
}

// ruleOrDefault takes a setting that the defaults may hold, too.
func (p *provenance) ruleOrDefault(name, text string, path ...string) {
	if n := value(p.rule.node, path...); n != nil {
		p.add(name, text, OriginWritten, p.rule.file, n)
		return
	}
	p.add(name, text, OriginDefault, p.rule.file, p.inDefaults(path...))
}

func (p *provenance) inDefaults(path ...string) *yaml.Node {
	return value(p.rule.file.doc, append([]string{"spec", "defaults"}, path...)...)
}

func (p *provenance) conduct() {
	p.ruleOrDefault("mode", string(p.rule.rule.Mode), "mode")
	for _, field := range []string{"report", "otherwise"} {
		p.ruleOrDefault(field, cmpNode(value(p.rule.node, field), p.inDefaults(field)), field)
	}
	for _, field := range []string{"unless", "groupBy"} {
		n := value(p.rule.node, field)
		p.add(field, cmpNode(n), OriginWritten, p.rule.file, n)
	}
}

// cmpNode is the text of the first node that is there.
func cmpNode(nodes ...*yaml.Node) string {
	for _, n := range nodes {
		if n != nil {
			return oneLine(n)
		}
	}
	return none
}

func (p *provenance) guards() {
	for _, g := range guardTexts(p.rule.rule.Guards) {
		if g[0] == "windows" && g[1] == off && value(p.rule.node, "guards", g[0]) == nil && p.inDefaults("guards", g[0]) == nil {
			g[1] = none // there are none to turn off
		}
		p.ruleOrDefault("guards."+g[0], g[1], "guards", g[0])
	}
}

// budgets are the same for every rule of the set.
func (p *provenance) budgets() {
	written := p.set.written("budgets")
	for _, w := range written {
		if limit := value(w.node, "limit"); limit != nil && isOff(limit) {
			p.add("budget."+w.name+".limit", off, OriginWritten, w.file, limit)
		}
	}
	for _, b := range p.set.budgets {
		var w writtenObject
		if i := slices.IndexFunc(written, func(w writtenObject) bool { return w.name == b.Name }); i >= 0 {
			w = written[i]
		}
		by := ""
		if n := value(w.node, "by"); n != nil {
			by = " for each " + n.Value
		}
		if b.Rate.Count > 0 {
			p.add("budget."+b.Name+".limit", rateText(b.Rate)+by, OriginWritten, w.file, value(w.node, "limit"))
		}
		if b.Concurrent > 0 {
			p.add("budget."+b.Name+".concurrent", value(w.node, "concurrent").Value+by, OriginWritten, w.file, value(w.node, "concurrent"))
		}
	}
}

func (p *provenance) windows() {
	written := p.set.written("windows")
	for _, window := range p.rule.rule.Guards.Windows {
		i := slices.IndexFunc(written, func(w writtenObject) bool { return w.name == window.Name })
		if i < 0 {
			continue
		}
		p.add("window."+window.Name, string(window.Effect)+" "+oneLine(written[i].node), OriginWritten, written[i].file, written[i].node)
	}
}

func (p *provenance) attempt(i int) {
	a, n := p.rule.rule.Attempts[i], value(p.rule.node, "try").Content[i]
	name := "try." + a.Name + "."
	mode := effective(p.rule.rule.Mode, a.Mode)
	if own := value(n, "mode"); own != nil && own.Value == string(mode) {
		p.add(name+"mode", string(mode), OriginWritten, p.rule.file, own)
	} else {
		p.ruleOrDefault(name+"mode", string(mode), "mode")
	}
	for _, t := range attemptTexts(a, n) {
		path := strings.Split(t[0], ".")
		p.add(name+t[0], t[1], OriginWritten, p.rule.file, value(n, path...))
	}
}

// writtenObject is a budget or window as a file of the set has it.
type writtenObject struct {
	name string
	file *file
	node *yaml.Node
}

// written are the set's objects of one list of spec. Every file has a rule, so
// that the rules know all files.
func (s *Set) written(list string) []writtenObject {
	var all []writtenObject
	seen := map[*file]bool{}
	for _, r := range s.rules {
		if seen[r.file] {
			continue
		}
		seen[r.file] = true
		items := value(r.file.doc, "spec", list)
		if items == nil {
			continue
		}
		for _, n := range items.Content {
			if name := value(n, "name"); name != nil {
				all = append(all, writtenObject{name.Value, r.file, n})
			}
		}
	}
	return all
}

// attemptTexts are an attempt's settings but its mode, by their paths in it.
func attemptTexts(a engine.Attempt, n *yaml.Node) [][2]string {
	text := func(field, builtIn string) string {
		if v := value(n, field); v != nil {
			return oneLine(v)
		}
		return builtIn
	}
	verify := none
	if a.Verify.AlertResolved {
		verify = "[{" + probeAlert + ": " + alertResolved + "}]"
	}
	undo := off
	if a.Undo {
		undo = "on-failure"
	}
	return [][2]string{
		{"from", text("from", none)},
		{"check", text("check", none)},
		{"do", text("do", none)},
		{"verify", text("verify", verify)},
		{"within", format(a.Verify.Within)},
		{"stable", format(a.Verify.Stable)},
		{"undo", undo},
		{"retry.max", numberText(a.Retries)},
		{"retry.backoff", format(a.Backoff)},
		{"timeout", format(a.Timeout)},
	}
}
