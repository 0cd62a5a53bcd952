package azure

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// decodeParams reads a task's parameters into v and refuses unknown ones. None at all
// are an empty object.
func decodeParams(t engine.Task, v any) error {
	if len(t.Params) == 0 {
		return nil
	}
	if err := decodeStrict(t.Params, v); err != nil {
		return remediators.Terminal("task %s: parameters of %s: %w", t.ID, t.Action, err)
	}
	return nil
}

func decodeStrict(raw json.RawMessage, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one JSON value")
		}
	}
	return err
}

// badParams refuses a task's parameters.
func badParams(t engine.Task, format string, args ...any) error {
	return remediators.Terminal("task %s: parameters of %s: "+format, append([]any{t.ID, t.Action}, args...)...)
}
