package http

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// The presets are endpoints of Spring Boot's Actuator, below a service's own URL.
// Sources: https://docs.spring.io/spring-boot/api/rest/actuator/ and, for refresh,
// Spring Cloud Commons.
const (
	springCaches  = "caches"
	springRefresh = "refresh"
	springHealth  = "health"
)

// actuator is where an endpoint is, seen from a service's URL, which may have the
// actuator's own path already.
func actuator(service *url.URL, endpoint string) (*url.URL, error) {
	if service.RawQuery != "" || service.Fragment != "" {
		return nil, errors.New("spring: url is the service's own, without a query")
	}
	base := service.JoinPath("/") // with a root, which an empty path is not
	if !strings.HasSuffix(strings.TrimSuffix(base.Path, "/"), "/actuator") {
		base = base.JoinPath("actuator")
	}
	return base.JoinPath(endpoint), nil
}

// spring makes a request of the preset that is named. Both presets do the same when
// they are sent again: what is cleared is clear, what is read is read anew.
func (p *requestParams) spring() error {
	if p.Method != "" || p.Body != nil || len(p.JSON) > 0 {
		return errors.New("spring says what is sent: leave method, body and json out")
	}
	switch p.Spring {
	case springCaches:
		p.Method = http.MethodDelete
	case springRefresh:
		p.Method, p.Idempotent = http.MethodPost, true
	default:
		return fmt.Errorf("spring is %q, want %s or %s", p.Spring, springCaches, springRefresh)
	}
	var err error
	p.url, err = actuator(p.url, p.Spring)
	return err
}

// spring makes a probe of the preset that is named.
func (p *probeParams) spring(u *url.URL) (*url.URL, error) {
	if p.Spring != springHealth {
		return nil, fmt.Errorf("spring is %q, want %s", p.Spring, springHealth)
	}
	if len(p.Status) == 0 && len(p.JSON) == 0 && p.Contains == "" {
		p.JSON = map[string]json.RawMessage{"status": json.RawMessage(`"UP"`)}
	}
	return actuator(u, springHealth)
}
