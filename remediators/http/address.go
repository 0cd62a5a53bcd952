package http

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// parseURL accepts absolute http and https URLs. Errors do not repeat it.
func parseURL(s string) (*url.URL, error) {
	if s == "" {
		return nil, errors.New("url is missing")
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("url is malformed: %w", withoutURL(err))
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("url begins with %q, want http or https", u.Scheme+":")
	}
	if u.Hostname() == "" {
		return nil, errors.New("url names no host")
	}
	return u, nil
}

// shown is the URL without what may be secret: the user, and the values of the
// query.
func shown(u *url.URL) string {
	s := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
	if u.RawQuery == "" {
		return s
	}
	keys := slices.Sorted(maps.Keys(u.Query()))
	for i, k := range keys {
		keys[i] = url.QueryEscape(k) + "=…"
	}
	return s + "?" + strings.Join(keys, "&")
}
