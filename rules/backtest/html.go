package backtest

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
)

//go:embed report.html.tmpl
var page string

// The most rows of each table of the page; JSON has all.
const mostRows = 1000

// WriteHTML prints a report as one file that needs nothing else: no script,
// style, picture or font comes from elsewhere. Whatever alerts and rules say is
// escaped.
func WriteHTML(out io.Writer, r *Report) error {
	t, err := template.New("report").Funcs(template.FuncMap{
		"moment": moment, "brief": brief, "num": num, "of": of, "held": held, "ends": ends, "race": race, "name": nameOf,
		"join": func(s []string) string { return strings.Join(s, ", ") }, "change": changeOf, "attempt": attemptOf,
	}).Parse(page)
	if err != nil {
		return fmt.Errorf("the report's page: %w", err)
	}
	return t.Execute(out, newPage(r))
}

// pageData is a report as its page shows it.
type pageData struct {
	*Report

	Title string
	Rows  []timelineRow
	Width int
	Ticks []tick
	// Acts and Changes hide the report's: they are bounded, and More says by how
	// much.
	Acts        []Act
	MoreActs    int
	Changes     []Change
	MoreChanges int
	Notes       []string
}

// timelineRow is one rule's part of the picture.
type timelineRow struct {
	Name string
	Y    int
	Bars []bar
}

type bar struct {
	X, Y, W, H int
	Class      string
	Title      string
}

type tick struct {
	X    int
	Text string
}

// The picture's measures, in pixels.
const (
	rowHeight  = 34
	barHeight  = 28
	labelWidth = 180
	partWidth  = 4
	tickEvery  = 40 // parts
)

func newPage(r *Report) pageData {
	p := pageData{
		Report: r, Title: "Backtest of " + nameOf(r.Rules) + inMode(r.Mode),
		Acts: r.Acts[:min(len(r.Acts), mostRows)], MoreActs: max(0, len(r.Acts)-mostRows), Notes: notesOf(r),
	}
	if r.Against != nil {
		p.Changes = r.Against.Changes[:min(len(r.Against.Changes), mostRows)]
		p.MoreChanges = len(r.Against.Changes) - len(p.Changes)
	}
	width := max(1, 960/len(r.All.Timeline))
	width = max(width, partWidth)
	p.Width = labelWidth + width*len(r.All.Timeline)
	for i, rule := range append([]Rule{r.All}, r.PerRule...) {
		p.Rows = append(p.Rows, newRow(rule, i, width))
	}
	for i := 0; i < len(r.All.Timeline); i += max(1, tickEvery*partWidth/width) {
		p.Ticks = append(p.Ticks, tick{X: labelWidth + i*width, Text: r.All.Timeline[i].Start.Format("01-02 15:04")})
	}
	return p
}

// Height is the picture's.
func (p pageData) Height() int { return len(p.Rows)*rowHeight + 20 }

// newRow draws every part of a rule's time as a column: what acted from below,
// what would have on top of it, and holds and escalations above that. A column
// as high as the row is the rule's own fullest part.
func newRow(rule Rule, i, width int) timelineRow {
	row := timelineRow{Name: rule.Name, Y: i * rowHeight}
	if row.Name == "" {
		row.Name = "all rules"
	}
	most := 1
	for _, b := range rule.Timeline {
		most = max(most, b.Acts+b.Would+b.Holds+b.Escalations)
	}
	for n, b := range rule.Timeline {
		title := fmt.Sprintf("%s: firings %d, acts %d, would have acted %d, holds %d, escalations %d",
			b.Start.Format("2006-01-02 15:04Z"), b.Episodes, b.Acts, b.Would, b.Holds, b.Escalations)
		x, y := labelWidth+n*width, row.Y+rowHeight-2
		if b.Episodes > 0 {
			row.Bars = append(row.Bars, bar{X: x, Y: y, W: width, H: 2, Class: "firing", Title: title})
		}
		for _, part := range []struct {
			class string
			n     int
		}{{"act", b.Acts}, {"would", b.Would}, {"hold", b.Holds}, {"escalation", b.Escalations}} {
			if part.n == 0 {
				continue
			}
			h := max(1, part.n*barHeight/most)
			y -= h
			row.Bars = append(row.Bars, bar{X: x, Y: y, W: width, H: h, Class: part.class, Title: title})
		}
	}
	return row
}

// notesOf is all that the figures rest on.
func notesOf(r *Report) []string {
	notes := slices.Concat(r.Source.Notes, r.Assumptions)
	if l := r.Read.LeftOut; l != (LeftOut{}) {
		notes = append(notes, fmt.Sprintf("Left out, as belonging to the recorded history only: %d answers, %d commands, %d rule sets.", l.Results, l.Commands, l.RuleSets))
	}
	return notes
}
