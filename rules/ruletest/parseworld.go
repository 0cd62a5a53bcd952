package ruletest

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

func (p *parser) world(n *yaml.Node) []answer {
	var all []answer
	for _, item := range p.y.List(n, "world") {
		all = append(all, p.answer(item))
	}
	return all
}

func (p *parser) answer(n *yaml.Node) answer {
	var a answer
	o, ok := p.object(n, "an entry of the world", answerFields(p.v))
	if !ok {
		return a
	}
	var name *yaml.Node
	if a.asks, name = p.exactlyOne(o, "an entry of the world", asks()); name == nil {
		return a
	}
	if a.asks == asksProbe {
		a.name = p.nameOf(name, "probe", p.v.probes)
	} else {
		a.name = p.nameOf(name, "action", p.v.actions)
	}
	a.rule, a.attempt = p.rung(o)
	a.on = p.y.Text(o.Get("on"), "on")
	a.in = p.y.OneOf(o.Get("in"), "in", []string{kindCheck, kindVerify})
	a.from, a.until = p.duration(o, "from"), p.duration(o, "until")
	a.times = p.y.Number(o.Get("times"), "times", 1, 1_000_000)
	a.takes, a.lasts = p.duration(o, "takes"), p.duration(o, "for")
	a.hangs = p.yes(o, "hangs")
	a.fails = p.y.Text(o.Get("fails"), "fails")
	a.class = engine.Class(p.y.OneOf(o.Get("class"), "class", classes()))
	a.retryAfter = p.y.Duration(o.Get("retryAfter"), "retryAfter", 0, longest)
	a.target = p.target(o.Get("target"))
	a.summary = p.y.Text(o.Get("summary"), "summary")
	a.noop = p.yes(o, "noop")
	a.health = p.health(o.Get("health"))
	p.sensible(o, a)
	return a
}

// sensible refuses fields that would change nothing where they stand.
func (p *parser) sensible(o rules.YAMLObject, a answer) {
	probe := []string{"in", "for"}
	plan := []string{"target", "summary", "noop", "health"}
	for _, name := range slices.Concat(probe, plan, []string{"takes"}) {
		isProbe := a.asks == asksProbe
		if o.Get(name) == nil || isProbe && slices.Contains(probe, name) || a.asks == asksPlan && slices.Contains(plan, name) || !isProbe && name == "takes" {
			continue
		}
		p.y.Errorf(o.Get(name), "%s says nothing of %s", name, a.asks)
	}
	for _, name := range []string{"class", "for"} {
		if n := o.Get(name); n != nil && o.Get("fails") == nil {
			p.y.Errorf(n, "%s is of a failure: say with fails what it says", name)
		}
	}
	if n := o.Get("retryAfter"); n != nil && a.class != engine.ClassRetryable {
		p.y.Errorf(n, "retryAfter is of a failure whose class is %s", engine.ClassRetryable)
	}
	if a.hangs && a.fails != "" {
		p.y.Errorf(o.Node(), "what hangs says nothing: write fails or hangs")
	}
	if n := o.Get("class"); n != nil && o.Get("for") != nil {
		p.y.Errorf(n, "a failure with a class ends the verification at once: write for or class")
	}
	if a.asks == asksProbe && a.fails == "" && !a.hangs {
		p.y.Errorf(o.Node(), "a probe holds unless told otherwise: say with fails what it says, or hangs")
	}
}

func (p *parser) health(n *yaml.Node) *engine.Health {
	o, ok := p.object(n, "health", healthFields())
	if !ok {
		return nil
	}
	const most = 1_000_000
	return &engine.Health{
		Total: p.y.Number(o.Get("total"), "total", 0, most), Healthy: p.y.Number(o.Get("healthy"), "healthy", 0, most),
		Disrupts: p.y.Number(o.Get("disrupts"), "disrupts", 0, most),
	}
}

// target reads a canonical target.
func (p *parser) target(n *yaml.Node) engine.Target {
	s := p.y.Text(n, "target")
	if s == "" {
		return engine.Target{}
	}
	t, ok := parseTarget(s)
	if !ok {
		p.y.Errorf(n, "the target %q is not canonical: write it as kubernetes/korea/production/Deployment/profile-service", s)
	}
	return t
}

// parseTarget reads the canonical form, as engine.Target.String writes it.
func parseTarget(s string) (engine.Target, bool) {
	parts := strings.Split(s, "/")
	for i := range parts {
		part, err := url.PathUnescape(parts[i])
		if err != nil {
			return engine.Target{}, false
		}
		parts[i] = part
	}
	var t engine.Target
	switch {
	case parts[0] == engine.SystemKubernetes && len(parts) == 5:
		t = engine.Target{System: parts[0], Cluster: parts[1], Namespace: parts[2], Kind: parts[3], Name: parts[4]}
	case parts[0] == engine.SystemAzure && len(parts) == 3:
		t = engine.Target{System: parts[0], Account: parts[1], Name: parts[2]}
	case parts[0] == engine.SystemHTTP && len(parts) == 3:
		t = engine.Target{System: parts[0], Cluster: parts[1], Name: parts[2]}
	case len(parts) == 2:
		t = engine.Target{System: parts[0], Name: parts[1]}
	}
	return t, t.Validate() == nil && t.String() == s
}

// rung reads the rule and the attempt that an object names; they are looked up
// when all rules are known.
func (p *parser) rung(o rules.YAMLObject) (rule, attempt string) {
	u := use{rule: o.Get("rule"), attempt: o.Get("attempt")}
	if u.rule == nil && u.attempt == nil {
		return "", ""
	}
	p.uses = append(p.uses, u)
	return p.y.Text(u.rule, "rule"), p.y.Text(u.attempt, "attempt")
}

// ruleName reads a rule's name.
func (p *parser) ruleName(n *yaml.Node) string {
	p.uses = append(p.uses, use{rule: n})
	return p.y.Text(n, "rule")
}

// resolve looks all rules and attempts up that the file names.
func (p *parser) resolve() {
	if len(p.known) == 0 {
		return // what is wrong was said
	}
	attempts := map[string][]string{}
	var ruleNames, attemptNames []string
	for _, files := range p.known {
		for _, r := range files.set.Rules() {
			ruleNames = append(ruleNames, r.Name)
			for _, a := range r.Attempts {
				attempts[r.Name] = append(attempts[r.Name], a.Name)
				attemptNames = append(attemptNames, a.Name)
			}
		}
	}
	for _, u := range p.uses {
		valid, of := unique(attemptNames), ""
		if u.rule != nil && u.rule.Value != anyName {
			if all := unique(ruleNames); u.rule.Value != "" && !slices.Contains(all, u.rule.Value) {
				p.y.Errorf(u.rule, "there is no rule %q%s", u.rule.Value, rules.Hint(u.rule.Value, all))
				continue
			}
			valid, of = unique(attempts[u.rule.Value]), " in rule "+u.rule.Value
		}
		if n := u.attempt; n != nil && n.Value != "" && n.Value != anyName && !slices.Contains(valid, n.Value) {
			p.y.Errorf(n, "there is no attempt %q%s%s", n.Value, of, rules.Hint(n.Value, valid))
		}
	}
}

func unique(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

// since is a time of a test, zero if it is not written.
func since(d *time.Duration) time.Duration {
	if d == nil {
		return 0
	}
	return *d
}
