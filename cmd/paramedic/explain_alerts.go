package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/receiver/alertmanager"
)

// maxAlertFile bounds a file of alerts, far above what one webhook has.
const maxAlertFile = 64 << 20

// alerts reads the file that the command names.
func (x explaining) alerts(in io.Reader, now time.Time) ([]alert.Alert, error) {
	if x.file != "-" {
		f, err := os.Open(x.file)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, maxAlertFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", x.file, err)
	case len(body) > maxAlertFile:
		return nil, fmt.Errorf("%s: has more than %d bytes", x.file, maxAlertFile)
	}
	var alerts []alert.Alert
	switch x.kind {
	case "":
		alerts, err = normalised(body, x.source)
	case "alertmanager":
		alerts, err = fromAlertmanager(body, x.source, now)
	default:
		return nil, fmt.Errorf("--type %q: this version explains alertmanager, or without --type normalised alerts", x.kind)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", x.file, err)
	}
	return alerts, nil
}

// normalised reads alerts in Paramedic's own form, one JSON object after the
// other or in one list, and fills in what a person may leave out.
func normalised(body []byte, source string) ([]alert.Alert, error) {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil {
		body = bytes.Join(rawTexts(list), []byte("\n"))
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	var alerts []alert.Alert
	for {
		var a alert.Alert
		switch err := decoder.Decode(&a); {
		case errors.Is(err, io.EOF) && len(alerts) == 0:
			return nil, errors.New("there is no alert in it")
		case errors.Is(err, io.EOF):
			return alerts, nil
		case err != nil:
			return nil, fmt.Errorf("alert %d is not a normalised alert (for a webhook's body give --type): %w", len(alerts)+1, err)
		}
		complete(&a, source)
		if a.Name == "" && len(a.Labels) == 0 {
			return nil, fmt.Errorf("alert %d has neither a name nor labels, so no rule could be for it", len(alerts)+1)
		}
		if err := a.Validate(); err != nil {
			return nil, fmt.Errorf("alert %d: %w", len(alerts)+1, err)
		}
		alerts = append(alerts, a)
	}
}

func rawTexts(list []json.RawMessage) [][]byte {
	texts := make([][]byte, len(list))
	for i, text := range list {
		texts[i] = text
	}
	return texts
}

// complete fills in what follows from the labels, and says that it fires.
func complete(a *alert.Alert, source string) {
	if a.Labels == nil {
		a.Labels = map[string]string{}
	}
	if a.Source == "" {
		a.Source = source
	}
	if a.Name == "" {
		a.Name = a.Labels["alertname"]
	}
	if a.Severity == "" {
		a.Severity = a.Labels["severity"]
	}
	if a.Fingerprint == "" {
		a.Fingerprint = alert.Fingerprint(a.Labels)
	}
	if a.Status == "" {
		a.Status = alert.Firing
	}
}

// fromAlertmanager reads a webhook's body, or one alert of it.
func fromAlertmanager(body []byte, source string, now time.Time) ([]alert.Alert, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if fields["alerts"] == nil && fields["labels"] != nil {
		one, err := json.Marshal(map[string]any{"version": "4", "alerts": []json.RawMessage{body}})
		if err != nil {
			return nil, err
		}
		body = one
	}
	decoded, err := (&alertmanager.Decoder{}).Decode(source, http.Header{}, body, now)
	if err != nil {
		return nil, err
	}
	if len(decoded.Refused) > 0 {
		return nil, fmt.Errorf("alert %d cannot be used: %s", decoded.Refused[0].Index+1, decoded.Refused[0].Reason)
	}
	return decoded.Alerts, nil
}
