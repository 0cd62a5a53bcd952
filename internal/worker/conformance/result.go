package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
)

// decodeResult reads a message on a group's subject for answers, and demands what
// holds for every one.
func decodeResult(data []byte) (engine.Result, error) {
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	var message struct {
		Result *engine.Result `json:"result"`
	}
	if err := strict.Decode(&message); err != nil {
		return engine.Result{}, fmt.Errorf("the answer %.200s is not as the schema says: %w", data, err)
	}
	r := message.Result
	if r == nil {
		return engine.Result{}, fmt.Errorf("the answer %.200s has no result", data)
	}
	given := 0
	for _, is := range []bool{r.Plan != nil, r.Outcome != nil, r.Verified, r.Failure != nil} {
		if is {
			given++
		}
	}
	switch {
	case r.Worker == "" || r.At.IsZero():
		return *r, errors.New("the answer does not say by which worker it is, and of when")
	case given != 1:
		return *r, fmt.Errorf("%d of plan, outcome and failure are given, want exactly one", given)
	case r.Failure != nil && r.Failure.Message == "":
		return *r, errors.New("a failure says nothing")
	}
	return *r, nil
}

// planned is the plan of a result.
func planned(r engine.Result) (engine.Plan, error) {
	switch {
	case r.Failure != nil:
		return engine.Plan{}, fmt.Errorf("the plan failed, %s: %s", r.Failure.Class, r.Failure.Message)
	case r.Plan == nil:
		return engine.Plan{}, errors.New("the answer is no plan")
	case r.Plan.Summary == "":
		return engine.Plan{}, errors.New("the plan has no summary")
	}
	if err := r.Plan.Target.Validate(); err != nil {
		return engine.Plan{}, fmt.Errorf("the plan's target: %w", err)
	}
	return *r.Plan, nil
}

// failedAs demands a failure of a class.
func failedAs(r engine.Result, want engine.Class) error {
	switch {
	case r.Failure == nil:
		return fmt.Errorf("it was done, want a failure of class %s", want)
	case r.Failure.Class != want:
		return fmt.Errorf("it failed with class %s (%s), want %s", r.Failure.Class, r.Failure.Message, want)
	}
	return nil
}

// did demands an outcome.
func did(r engine.Result) error {
	switch {
	case r.Failure != nil:
		return fmt.Errorf("it failed, %s: %s", r.Failure.Class, r.Failure.Message)
	case r.Outcome == nil || r.Outcome.Summary == "":
		return errors.New("the answer has no outcome with a summary")
	}
	return nil
}

// same says that two results are one.
func same(a, b engine.Result) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
