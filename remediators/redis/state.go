package redis

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/tripgen/paramedic/remediators"
)

// state is what a server says of itself in INFO. Source:
// https://redis.io/docs/latest/commands/info/
type state map[string]string

func (s server) state(ctx context.Context) (state, error) {
	text, err := s.Info(ctx, "server", "replication", "cluster").Result()
	if err != nil {
		return nil, failed(s.address, err, false)
	}
	return parseState(s.address, text)
}

func parseState(address, text string) (state, error) {
	found := state{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			found[key] = value
		}
	}
	if role := found["role"]; role != "master" && role != "slave" || found["run_id"] == "" || found["master_replid"] == "" {
		return nil, remediators.Terminal("redis %s does not tell its role and its run_id in INFO; it says role %q", address, role)
	}
	return found, nil
}

func (s state) primary() bool { return s["role"] == "master" }

// master is the address of a replica's primary.
func (s state) master() string { return net.JoinHostPort(s["master_host"], s["master_port"]) }

func (s state) linked() bool { return s["master_link_status"] == "up" }

// number is a field that must be there. The error is terminal: nothing can be
// concluded without it.
func (s state) number(field string) (int64, error) {
	n, err := strconv.ParseInt(s[field], 10, 64)
	if err != nil {
		return 0, remediators.Terminal("INFO: %s is %q, want a number", field, s[field])
	}
	return n, nil
}

// offset is how far the server is in its primary's stream, or its own, in bytes.
func (s state) offset() (int64, error) {
	if s.primary() {
		return s.number("master_repl_offset")
	}
	return s.number("slave_repl_offset")
}

// String is the role for people.
func (s state) String() string {
	if s.primary() {
		return "a primary"
	}
	return fmt.Sprintf("a replica of %s, link %s", s.master(), s["master_link_status"])
}
