package explain

import (
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
)

func ofPerson(ev engine.Event) statement {
	switch e := ev.(type) {
	case engine.ApprovalAsked:
		return statement{TopicPerson, fmt.Sprintf("Waits until %s for a person to approve plan %s", clock(e.Until), short(e.Plan))}
	case engine.ApprovalGiven:
		return statement{TopicPerson, fmt.Sprintf("%s approved plan %s", somebody(e.By), short(e.Plan))}
	case engine.ScopePaused:
		return statement{TopicPerson, because(fmt.Sprintf("%s paused %s", somebody(e.By), short(e.Scope)), e.Reason)}
	case engine.ScopeResumed:
		return statement{TopicPerson, fmt.Sprintf("%s resumed %s", somebody(e.By), short(e.Scope))}
	case engine.CommandRefused:
		return statement{TopicPerson, because(fmt.Sprintf("The command %s by %s changed nothing", short(string(e.Command.Verb)), somebody(e.Command.By)), e.Reason)}
	}
	return statement{}
}

func somebody(by string) string {
	if by = short(by); by == "" {
		return "Somebody"
	}
	return by
}
