package backtest

import (
	"context"
	"errors"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
)

// Recorded is one input of the engine and when it came.
type Recorded struct {
	At    time.Time    `json:"at"`
	Input engine.Input `json:"input"`
}

// Source is a history.
type Source interface {
	// Each calls take with every input, in the order of their times, and holds
	// only a part of them at once. It ends with take's error.
	Each(ctx context.Context, take func(Recorded) error) error
	// About describes the source. It is asked after Each.
	About() About
}

// About describes a source, for the report.
type About struct {
	// From names it.
	From string `json:"from"`
	// Notes say what is not known for certain of what it tells.
	Notes []string `json:"notes,omitempty"`
}

// Surveyor is a source that can be looked over before it is played.
type Surveyor interface {
	Survey(ctx context.Context) (Survey, error)
}

// Survey is what a recording holds beside deliveries.
type Survey struct {
	// Ticks says that there is any tick: the recording is of a running engine.
	Ticks bool
	// Answered are the tasks that there is an answer to.
	Answered map[string]struct{}
}

// ErrEmpty says that a source had nothing in the time that was asked for. That
// says nothing about any rule.
var ErrEmpty = errors.New("there is nothing recorded in this time")

// ErrNoRules says that a recording has no rules of its own to play: it is of
// alerts only.
var ErrNoRules = errors.New("there are no rules in the recording: name a rule file")
