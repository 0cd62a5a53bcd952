package explain

import (
	"fmt"

	"github.com/tripgen/paramedic/internal/engine"
)

func ofVerdict(ev engine.Event) statement {
	switch e := ev.(type) {
	case engine.RunHeld:
		return statement{TopicGuard, because(fmt.Sprintf("Held by %s, judged again at %s", short(e.Guard), clock(e.Until)), e.Reason)}
	case engine.RunAllowed:
		return statement{TopicGuard, fmt.Sprintf("All guards let attempt %d act%s", e.Attempt+1, counting(e.Spends))}
	case engine.RulesLoaded:
		return statement{TopicSystem, fmt.Sprintf("Rule set %s is in force, from %s", short(e.Digest), counted(len(e.Sources), "file", "files"))}
	case engine.Pruned:
		return statement{TopicSystem, "What ended before " + clock(e.Before) + " is no longer kept in memory"}
	}
	return statement{}
}

func counting(spends []engine.Spend) string {
	if len(spends) == 0 {
		return ""
	}
	return "; it counts against budget " + list(spends, func(sp engine.Spend) string {
		if sp.Key == "" {
			return short(sp.Budget)
		}
		return short(sp.Budget) + " of " + short(sp.Key)
	})
}
