package access

import (
	"fmt"
	"strconv"
	"strings"
)

const hubAccount = "paramedic"

// account is the name of the NATS account of a group.
func account(group string) string { return hubAccount + "-" + group }

// Accounts is the part of the NATS server's configuration that lets in those who
// have keys: https://docs.nats.io/running-a-nats-service/configuration/securing_nats/accounts
func (a *Access) Accounts() []byte {
	var out strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	line(`# Written by "paramedic bus credentials", which writes it anew. Include it in the`)
	line(`# configuration of every NATS server, and have them reload it after a change:`)
	line(`# nats-server --signal reload. There are public keys only in it.`)
	line("accounts {")
	line("  %q {", hubAccount)
	line("    jetstream: enabled")
	line("    users: [%s]", users(a.keys[Hub], ""))
	line("    exports: [")
	for _, e := range a.exports() {
		line("      %s", e)
	}
	line("    ]")
	line("  }")
	for _, group := range a.Groups() {
		rights := Rights(group)
		var allowed []string
		line("  %q {", account(group))
		line("    imports: [")
		for _, r := range rights {
			allowed = append(allowed, strconv.Quote(r.Local))
			to := ""
			if r.Local != r.Subject {
				to = fmt.Sprintf(", to: %q", r.Local)
			}
			line("      {service: {account: %q, subject: %q}%s}", hubAccount, r.Subject, to)
		}
		line("    ]")
		permissions := fmt.Sprintf(", permissions: {publish: {allow: [%s]}, subscribe: {allow: [\"_INBOX.>\"]}}", strings.Join(allowed, ", "))
		line("    users: [%s]", users(a.keys[group], permissions))
		line("  }")
	}
	line("}")
	return []byte(out.String())
}

func users(keys []string, more string) string {
	all := make([]string, len(keys))
	for i, key := range keys {
		all[i] = fmt.Sprintf("{nkey: %s%s}", key, more)
	}
	return strings.Join(all, ", ")
}

// exports is each right of any group once, for the accounts that have it.
func (a *Access) exports() []string {
	var order []Right
	holders := map[string][]string{}
	for _, group := range a.Groups() {
		for _, r := range Rights(group) {
			if holders[r.Subject] == nil {
				order = append(order, r)
			}
			holders[r.Subject] = append(holders[r.Subject], strconv.Quote(account(group)))
		}
	}
	all := make([]string, len(order))
	for i, r := range order {
		kind := ""
		if r.Many {
			kind = ", response_type: stream"
		}
		all[i] = fmt.Sprintf("{service: %q%s, accounts: [%s]}", r.Subject, kind, strings.Join(holders[r.Subject], ", "))
	}
	return all
}
