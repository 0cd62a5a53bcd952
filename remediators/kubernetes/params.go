package kubernetes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// decodeParams reads the task's parameters into v and refuses unknown ones. None
// at all are an empty object.
func decodeParams(t engine.Task, v any) error {
	if len(t.Params) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(t.Params))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = fmt.Errorf("more than one JSON value")
		}
	}
	if err != nil {
		return remediators.Terminal("task %s: parameters of %s: %w", t.ID, t.Action, err)
	}
	return nil
}
