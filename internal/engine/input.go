package engine

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
)

// Input is one thing that the engine learns, a line of an INBOX message.
// Exactly one field is set.
type Input struct {
	Delivery *alert.Delivery `json:"delivery,omitempty"`
	Result   *Result         `json:"result,omitempty"`
	Command  *Command        `json:"command,omitempty"`
	Rules    *NewRules       `json:"rules,omitempty"`
	Tick     *Tick           `json:"tick,omitempty"`
}

// Verb is what a person asks for.
type Verb string

// The commands.
const (
	Pause   Verb = "pause"
	Resume  Verb = "resume"
	Approve Verb = "approve"
	Deny    Verb = "deny"
	Cancel  Verb = "cancel"
)

// Command is a person's word.
type Command struct {
	Verb Verb `json:"verb"`
	// By is who; Reason is why, in their words.
	By     string `json:"by"`
	Reason string `json:"reason,omitempty"`
	// Scope is what to pause or resume: see ParseScope.
	Scope string `json:"scope,omitempty"`
	// Run and Plan name what to approve, deny or cancel. An approval whose Plan
	// is not the digest of the plan that waits approves nothing.
	Run  string `json:"run,omitempty"`
	Plan string `json:"plan,omitempty"`
}

// NewRules is a rule set that compiled, and takes effect from here on.
type NewRules struct {
	Digest  string   `json:"digest"`
	Sources []Source `json:"sources"`
}

// Tick says that time has passed, and that what came before it in INBOX came
// before At. Zero stands for the time at which the tick is decided.
type Tick struct {
	At time.Time `json:"at,omitzero"`
}

// UnmarshalLine decodes one line of an INBOX message.
func UnmarshalLine(line []byte) (Input, error) {
	var in Input
	if err := json.Unmarshal(line, &in); err != nil {
		return Input{}, fmt.Errorf("inbox line: %w", err)
	}
	set := 0
	for _, is := range []bool{in.Delivery != nil, in.Result != nil, in.Command != nil, in.Rules != nil, in.Tick != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		return Input{}, fmt.Errorf("inbox line: %d of delivery, result, command, rules and tick are set, want exactly one", set)
	}
	return in, nil
}
