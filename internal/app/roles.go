package app

import (
	"fmt"
	"slices"
	"strings"
)

// Role is one part of the work that a process may do.
type Role string

// The roles. One process has all of them unless told otherwise.
const (
	RoleReceiver Role = "receiver"
	RoleEngine   Role = "engine"
	RoleWorker   Role = "worker"
	RoleReporter Role = "reporter"
	RoleWeb      Role = "web"
)

// AllRoles are in the order in which they start.
func AllRoles() []Role { return []Role{RoleEngine, RoleReporter, RoleWorker, RoleWeb, RoleReceiver} }

// ParseRoles reads a comma-separated list.
func ParseRoles(s string) ([]Role, error) {
	var roles []Role
	for name := range strings.SplitSeq(s, ",") {
		role := Role(strings.TrimSpace(name))
		if !slices.Contains(AllRoles(), role) {
			return nil, fmt.Errorf("role %q: want some of receiver, engine, worker, reporter, web", role)
		}
		roles = append(roles, role)
	}
	return roles, nil
}
