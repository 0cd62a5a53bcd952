package remediators

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// DecodeParams reads parameters, exactly one JSON value, into v, and refuses keys
// that v does not have. Its error names neither the task nor the action.
func DecodeParams(raw json.RawMessage, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if errors.Is(err, io.EOF) {
		return errors.New("there are none")
	}
	if err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}
