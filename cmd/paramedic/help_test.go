package main

import (
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/manual"
	"github.com/tripgen/paramedic/rules"
)

func TestTheTopicsOfHelp(t *testing.T) {
	t.Parallel()
	for topic, page := range map[string]string{
		"language": rules.Reference, "sources": manual.Sources, "responses": manual.Responses, "workers": manual.Workers,
		"failover": manual.Failover,
	} {
		if out, code := called(t, "", "help", topic); code != 0 || !strings.Contains(out, strings.TrimSpace(page)) {
			t.Errorf("help %s ends with %d, without its page", topic, code)
		}
	}
}
