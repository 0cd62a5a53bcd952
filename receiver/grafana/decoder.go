package grafana

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/tripgen/paramedic/receiver"
	"github.com/tripgen/paramedic/receiver/alertmanager"
)

// Names of annotations, and in legacy alerting of labels.
const (
	orgID    = "grafana_org_id"
	imageURL = "grafana_image_url"
)

// maxOrgID bounds what is taken for an organisation's number, in characters.
const maxOrgID = 32

// testKey is the groupKey of the Test button: name of the contact point, hash of
// the labels, seconds since 1970.
var testKey = regexp.MustCompile(`^[^{].*-[0-9a-f]{16}-\d+$|^test-`)

// Decoder decodes Grafana's webhooks. The zero value is ready; it must not be
// copied after use.
type Decoder struct {
	prepare sync.Once
	unified alertmanager.Decoder
}

// Traits implements [receiver.Decoder]. Grafana does not try again soon after
// any failure, and stops sending after none, so 400 may be said freely.
func (*Decoder) Traits() receiver.Traits {
	return receiver.Traits{
		Methods:           []string{http.MethodPut},
		MediaTypes:        []string{"application/json"},
		UndecodableStatus: http.StatusBadRequest,
	}
}

// Decode implements [receiver.Decoder]. It refuses a body that is not exactly
// one JSON object in valid UTF-8, has a key twice in one object, is neither
// unified nor legacy alerting, or has no usable alert; and single alerts that
// cannot be identified.
func (p *Decoder) Decode(source string, h http.Header, body []byte, receivedAt time.Time) (receiver.Decoded, error) {
	p.prepare.Do(func() { p.unified.Dialect = dialect() })
	seen, err := survey(body)
	switch {
	case err != nil || seen.unified && !testKey.MatchString(seen.groupKey):
		// What is wrong with a body as a whole, the other decoder says best.
		decoded, err := p.unified.Decode(source, h, body, receivedAt)
		if err != nil {
			return receiver.Decoded{}, err
		}
		for _, a := range decoded.Alerts {
			if _, sent := a.Annotations[orgID]; !sent && seen.orgID != "" {
				a.Annotations[orgID] = seen.orgID
			}
		}
		return decoded, nil
	case seen.unified:
		return receiver.Decoded{Ignored: "a test notification of Grafana's Test button; it stands for no alert"}, nil
	case seen.legacy:
		return legacy(source, body)
	default:
		return receiver.Decoded{}, errors.New(
			`the body has neither "alerts", as unified alerting sends them, nor "ruleId", as legacy alerting does`)
	}
}

func dialect() alertmanager.Dialect {
	return alertmanager.Dialect{
		Versions: []string{`"1"`},
		Annotations: map[string]string{
			"values":       "grafana_values",
			"valueString":  "grafana_value_string",
			"imageURL":     imageURL,
			"dashboardURL": "grafana_dashboard_url",
			"panelURL":     "grafana_panel_url",
			"silenceURL":   "grafana_silence_url",
			"orgId":        orgID,
		},
	}
}

// overview is what the members of a body say about all of it.
type overview struct {
	unified, legacy bool
	groupKey, orgID string
}

// survey reads a body to its end, but nothing into depth. Its error only says
// that the body is not one sound JSON object.
func survey(body []byte) (overview, error) {
	var seen overview
	in := jsontext.NewDecoder(bytes.NewBuffer(body))
	if kind := in.PeekKind(); kind != '{' {
		return seen, errors.New("not a JSON object")
	}
	err := members(in, func(name string) error {
		switch name {
		case "alerts":
			seen.unified = true
		case "ruleId", "ruleName", "ruleUrl", "evalMatches":
			seen.legacy = true
		case "groupKey", "orgId":
			value, err := in.ReadValue()
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if name == "groupKey" {
				seen.groupKey = alertmanager.Text(value)
			} else if text := alertmanager.Text(value); len(text) <= maxOrgID {
				seen.orgID = text
			}
			return nil
		}
		return in.SkipValue()
	})
	if err != nil {
		return seen, err
	}
	if _, err := in.ReadToken(); !errors.Is(err, io.EOF) {
		return seen, errors.New("more than one JSON object")
	}
	return seen, nil
}

// members reads an object, calling member, which is to read the value, after
// each name.
func members(in *jsontext.Decoder, member func(name string) error) error {
	if _, err := in.ReadToken(); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	for in.PeekKind() != '}' {
		name, err := in.ReadToken()
		if err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
		if err := member(name.String()); err != nil {
			return err
		}
	}
	if _, err := in.ReadToken(); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return nil
}
