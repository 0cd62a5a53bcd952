// Package demo is the whole loop on one machine: sample services that really
// break, a monitor that sees it and sends what Alertmanager would send, and
// Paramedic, with its embedded bus and all its roles, which mends them.
//
// Nothing in it is staged but the breaking: the monitor probes over HTTP, the
// alerts come in through the webhook, the actions are HTTP requests to the
// services, and the verdict at the end is taken from the services themselves
// and from the ledger, whose chain is verified.
//
// The test runs it as the command does.
package demo
