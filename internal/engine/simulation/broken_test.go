package simulation

import (
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
)

// mostSeeds is within how many seeds a fault must be noticed.
const mostSeeds = 1500

// TestBrokenEngineIsCaught breaks the engine, or the shell around it, in one way
// at a time. A simulation that does not notice proves nothing about what it is
// to notice.
func TestBrokenEngineIsCaught(t *testing.T) {
	for name, c := range map[string]struct {
		sabotage func(*shell)
		want     string
	}{
		"no busy guard":         {blind(forgetHolders), "which "},
		"no freshness":          {blind(forgetAge), "evidence"},
		"no pause":              {blind(forgetPauses), "is paused"},
		"no budgets":            {blind(forgetSpent), "the budget is"},
		"no limits":             {blind(forgetPast), "the limit is"},
		"no cooldown":           {blind(forgetPast), "the cooldown is"},
		"no breaker":            {blind(forgetUncured), "without approval"},
		"no flap guard":         {blind(forgetOpens), "flaps"},
		"no approval":           {blind(approveAll), "without approval"},
		"acts on the resolved":  {blind(forgetResolves), "have resolved"},
		"all rules are auto":    {byRules(trustAll), "without approval"},
		"unknown is retried":    {answers(engine.TaskExecute, retryUnknown), "may have been applied"},
		"two runs on a target":  {rewrite(neverMerge), "are both about"},
		"silent drops":          {rewrite(without("alert.dropped")), "was concluded upon"},
		"silent repeats":        {rewrite(without("alert.repeated")), "was concluded upon"},
		"nobody is told":        {rewrite(without("run.escalated")), "nobody is told"},
		"no reason to hold":     {rewrite(noReason), "gives no reason"},
		"tasks are doubled":     {doubleTasks, "which no record issued"},
		"time never passes":     {noTicks, "calm down"},
		"decides by chance":     {chance, "the replay concludes"},
		"state beside ledger":   {secretState, "but the leader has"},
		"no CAS on the ledger":  {noRace, ""},
		"progress is forgotten": {func(s *shell) { s.restored = rewind }, "was concluded upon"},
		"progress is overshot":  {func(s *shell) { s.restored = skip }, ""},
		"no windows":            {byRules(func(r *engine.Rule) { r.Guards.Windows = nil }), "window"},
		"no hold windows":       {byRules(onlyWindows(engine.WindowAllow)), "in a window that holds it"},
		"no allow windows":      {byRules(onlyWindows(engine.WindowHold)), "outside the windows"},
		"no requires":           {byRules(func(r *engine.Rule) { r.Guards.Requires = nil }), "requires that rule"},
		"requires idle only":    {byRules(requireIdle), "is cured"},
		"no unless":             {byRules(func(r *engine.Rule) { r.Unless = nil }), "unless"},
		"no unless rule":        {byRules(forgetUnless(func(in engine.Inhibitor) bool { return in.Rule != "" })), "is at work"},
		"no unless alert":       {byRules(forgetUnless(func(in engine.Inhibitor) bool { return in.Alert != nil })), " fires"},
		"no minHealthy":         {byRules(func(r *engine.Rule) { r.Guards.MinHealthy = engine.Share{} }), "too little healthy"},
		"no concurrent":         {byRules(func(r *engine.Rule) { r.Guards.Concurrent = 0 }), "under repair, it may have"},
		"no concurrent budget":  {altered{budget: func(b *engine.Budget) { b.Concurrent = 0 }}.into, "are under repair, the budget is"},
		"no groups":             {altered{match: func(m *engine.Match) { m.Group = "" }}.into, "group"},
		"no group is kept":      {blind(forgetGroups), "begins for group"},
		"everything is a group": {altered{match: func(m *engine.Match) { m.Group = "all" }}.into, "group"},
		"no check":              {eachAttempt(func(a *engine.Attempt) { a.Check = nil }), "without its check"},
		"no undo":               {eachAttempt(func(a *engine.Attempt) { a.Undo = false }), "without having put back"},
		"undo unasked":          {eachAttempt(func(a *engine.Attempt) { a.Undo = true }), "which its rule does not say"},
		"check unmet is met":    {answers(engine.TaskCheck, meet), "not by what it saw"},
		"failed is done":        {answers(engine.TaskExecute, succeed(engine.ClassTerminal)), "which was not done"},
		"undo is believed":      {answers(engine.TaskUndo, succeed(engine.ClassPlanChanged)), "put nothing back"},
		"unknown undo is again": {answers(engine.TaskUndo, retryUnknown), "is asked again after"},
		"undone is again":       {answers(engine.TaskUndo, fail), "is asked again after"},
		"undo forwards":         {undoForwards, " before "},
		"undo of another run":   {undoAnothers, "this attempt did not do"},
		"stale check":           {blind(forgetCheckAge), "by a check that is"},
		"stale health":          {blind(forgetPlanAge), "told of health"},
		"old looks are new":     {blind(forgetAsking), "by a check that is"},
		"old plans are new":     {blind(forgetAsking), "told of health"},
		"starts in a window":    {rewrite(startLate), " starts at "},
		"held in silence":       {rewrite(holdSilently), "people are not told"},
		"told again and again":  {blind(forgetTold), "are told again"},
		"judged but once":       {judgedOnce, " acts at "},
		"holds are forgotten":   {rewrite(forgetHolds), "which is so no longer"},
		"ends are not noticed":  {rewrite(forgetAlerts), "which is so no longer"},
		"no guard is named":     {rewrite(noGuard), "gives no reason"},
		"undo in the dark":      {rewrite(undoBlindly), "is not told what"},
		"undo during pause":     {blind(forgetPauses), "puts back although"},
		"half done, silently":   {rewrite(without("run.escalated")), "without having put back"},
		"nobody joins":          {rewrite(without("run.joined")), "does not join run"},
		"told elsewhere":        {rewrite(tellElsewhere), "its rule says"},
		"nothing is restored":   {byRules(func(r *engine.Rule) { r.Restore = false }), "ends cured, and its rule restores"},
		"a resolve ends it":     {forResolves(func(r *engine.Rule) { r.Restore = false }), "ended resolved without having put back"},
		"no ends half done":     {forCommands(func(r *engine.Rule) { r.Restore = false }), "ended denied without having put back"},
		"restores at once":      {blind(forgetNights), "restores, and"},
		"restores never":        {rewrite(standOn), "its alerts have resolved"},
		"restores in words":     {rewrite(sayRestored), "ended restored without having put back"},
		"restores half":         {rewrite(restoreOne), "ended restored without having put back"},
		"restores twice":        {blind(forgetPutBack), "a second time"},
		"what stands is held":   {blind(holdStanding), "which is so no longer"},
		"what is held is taken": {blind(forgetHolders), "back, which"},
		"joins what leaves":     {blind(forgetLeaving), "which is on its way to end"},
		"all rules restore":     {byRules(func(r *engine.Rule) { r.Restore = true }), "which its rule does not say"},
		"others' are taken":     {blind(forgetAlso), ", which run "},
		"others' are acted on":  {eachAttempt(forgetOwnTargets), "has a target of its own"},
		"no hold-down":          {blind(forgetTouched), "the hold-down is"},
		"work is skipped":       {rewrite(skipWork), "skips action"},
		"claims are not read":   {noClaims, "by one attempt"},
		"no CAS on claims":      {func(s *shell) { s.wins = func(int, int) bool { return true } }, "by one attempt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(1); seed <= mostSeeds; seed++ {
				sh := soundShell()
				c.sabotage(&sh)
				_, err := run(seed, nil, sh)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					continue
				}
				t.Logf("caught by seed %d: %.200v", seed, err)
				return
			}
			t.Errorf("not caught within %d seeds", mostSeeds)
		})
	}
}
