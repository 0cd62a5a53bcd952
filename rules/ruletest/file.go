package ruletest

import (
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
)

// Kind is what a rule test file says that it is.
const Kind = "RuleTest"

const (
	// latest is when a test that says no other end is over, unless more happens.
	latest = 48 * time.Hour
	// longest bounds every time of a file.
	longest = 30 * 24 * time.Hour
)

// defaultStart is a Monday morning.
func defaultStart() time.Time { return time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC) }

// file is one file of tests, read.
type file struct {
	path, name string
	rules      *ruleFiles
	tests      []*test
}

type test struct {
	name   string
	line   int
	start  time.Time
	mode   engine.Mode
	world  []answer
	alerts []firing
	events []event
	expect []expectation
	never  []expectation
	// only has the kinds of which nothing else may happen.
	only  map[string]bool
	until *time.Duration
}

// answer is one entry of the world.
type answer struct {
	asks, name    string
	rule, attempt string
	on, in        string
	from, until   *time.Duration
	times         int
	takes         *time.Duration
	hangs         bool
	fails         string
	lasts         *time.Duration
	class         engine.Class
	retryAfter    time.Duration
	target        engine.Target
	summary       string
	noop          bool
	health        *engine.Health
}

// firing is one firing of one alert: notifications at its start, at repeats, and
// when it ends.
type firing struct {
	alert  alert.Alert
	begins time.Duration
	// ends is nil if the test does not say when it ends.
	ends *time.Duration
	// superseded is when a newer one takes its place; nil if none does.
	superseded *time.Duration
	repeat     time.Duration
	// again are further single notifications.
	again []time.Duration
}

// event is what happens but for alerts.
type event struct {
	line   int
	at     time.Duration
	kind   string
	what   string // rule or scope
	by     string
	reason string
	on     string
	rules  *ruleFiles
}

// expectation is one line of expect or never.
type expectation struct {
	position      rules.Position
	text          string
	kind, name    string
	at, after     *time.Duration
	before        *time.Duration
	within        *time.Duration
	rule, attempt string
	target        string
	alert         map[string]string
	mode          string
	params        any
	to, reason    string
}
