package rules

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tripgen/paramedic/internal/engine"
)

// guardTexts are all guards with their values as rules write them, in the order
// in which they are documented.
func guardTexts(g engine.Guards) [][2]string {
	limits := make([]string, len(g.Limits))
	for i, l := range g.Limits {
		limits[i] = rateText(l)
	}
	requires := make([]string, len(g.Requires))
	for i, r := range g.Requires {
		requires[i] = r.Rule + ": " + string(r.State)
	}
	windows := make([]string, len(g.Windows))
	for i, w := range g.Windows {
		windows[i] = w.Name
	}
	return [][2]string{
		{"cooldown", durationText(g.Cooldown)},
		{"limit", orOff(strings.Join(limits, ", "))},
		{"freshness", durationText(g.Freshness)},
		{"flap", flapText(g.Flap)},
		{"breaker", numberOrOff(g.Breaker)},
		{"relapse", durationText(g.Relapse)},
		{"holdDown", durationText(g.HoldDown)},
		{"approval", durationText(g.Approval)},
		{"minHealthy", shareText(g.MinHealthy)},
		{"concurrent", numberOrOff(g.Concurrent)},
		{"requires", orOff(strings.Join(requires, ", "))},
		{"windows", orOff(strings.Join(windows, ", "))},
	}
}

func orOff(s string) string {
	if s == "" {
		return off
	}
	return s
}

func durationText(d time.Duration) string {
	if d == 0 {
		return off
	}
	return format(d)
}

func numberText(n int) string { return strconv.Itoa(n) }

func numberOrOff(n int) string {
	if n == 0 {
		return off
	}
	return strconv.Itoa(n)
}

func flapText(r engine.Rate) string {
	if r.Count == 0 {
		return off
	}
	return rateText(r)
}

func shareText(s engine.Share) string {
	if s.Percent > 0 {
		return fmt.Sprintf("%d%%", s.Percent)
	}
	return numberOrOff(s.Count)
}

// oneLine is a node of a file in YAML's flow style.
func oneLine(n *yaml.Node) string {
	var b bytes.Buffer
	flowText(&b, n)
	return b.String()
}

func flowText(b *bytes.Buffer, n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteString(", ")
			}
			flowText(b, n.Content[i])
			b.WriteString(": ")
			flowText(b, n.Content[i+1])
		}
		b.WriteByte('}')
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, c := range n.Content {
			if i > 0 {
				b.WriteString(", ")
			}
			flowText(b, c)
		}
		b.WriteByte(']')
	default:
		if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			b.WriteString(strconv.Quote(n.Value))
			return
		}
		b.WriteString(n.Value)
	}
}
