// Package exec holds the action that runs a command of a list that the worker's
// own configuration allows, and the prober that asks such a command whether all is
// well. A rule names a command and nothing of what it is: neither its path nor its
// environment, and only arguments of the forms that the configuration accepts.
//
// No shell is between: arguments are handed over as they are. A command gets an
// environment of its own (a fixed PATH, what is configured, and the variables
// below), /dev/null or the rule's text as its standard input, and no other open
// file. It runs in a process group of its own, which gets SIGTERM at the end of its
// time and SIGKILL soon after. Whatever it has left in its group when it ends is
// killed, too: what is to go on running belongs to a service manager. A process that
// leaves the group (setsid) escapes that; its output is no longer read.
//
// A command knows what for it runs by
//
//	PARAMEDIC_STEP    run, plan, observe, undo or probe
//	PARAMEDIC_TARGET  the rule's target in its canonical form
//	PARAMEDIC_TASK    the task's id; for observe, that of the task that is observed
//	PARAMEDIC_UNDOES  for undo, the id of the task to put back
//
// Exit status 0 is success. Any other means that something may have been changed,
// unless [Command.Exits] says otherwise of it. The last of the output is in the
// outcome, without the environment's secrets.
//
// Whether a command has done its task cannot be told after a crash, unless it has
// arguments that observe, or is idempotent.
//
// It works on Linux; elsewhere nothing is run and every call says so. Everything is
// safe for concurrent use. The tests run real processes: the conformance suite's
// subject is a command that talks to a service through the suite's proxy.
package exec
