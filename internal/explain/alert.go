package explain

import (
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
)

func ofAlert(ev engine.Event) statement {
	switch e := ev.(type) {
	case engine.AlertOpened:
		return statement{TopicAlert, "The " + named(e.Alert) + " fires since " + clock(e.Alert.StartsAt)}
	case engine.AlertRepeated:
		return statement{TopicAlert, fmt.Sprintf("The alert still fires (%s)", short(string(e.Episode)))}
	case engine.AlertReopened:
		return statement{TopicAlert, fmt.Sprintf("The alert fires again after it had resolved (%s)", short(string(e.Episode)))}
	case engine.AlertResolved:
		if e.Alert != nil {
			return statement{TopicAlert, "The " + named(*e.Alert) + " resolved; that it fired was never seen"}
		}
		return statement{TopicAlert, fmt.Sprintf("The alert resolved (%s)", short(string(e.Episode)))}
	case engine.AlertDropped:
		return statement{TopicAlert, because(fmt.Sprintf("An alert changed nothing (%s)", short(string(e.Episode))), e.Reason)}
	case engine.AlertUnmatched:
		return statement{TopicRule, because(fmt.Sprintf("Nothing is done about this alert (%s)", short(string(e.Episode))), e.Reason)}
	case engine.RuleFailed:
		return statement{TopicRule, because(fmt.Sprintf("It cannot be told whether rule %s acts on this alert", short(e.Rule)), e.Reason)}
	}
	return statement{}
}
