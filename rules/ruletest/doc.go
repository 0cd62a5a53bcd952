// Package ruletest tests rules: alerts and the world's answers go in over virtual
// time, and what must follow is compared with what did. The production engine
// decides, as package rehearsal runs it, under rules that package rules compiles;
// nothing is decided here.
//
// # The file
//
// A rule test lies beside the rules that it tests: tripgen_test.yaml beside
// tripgen.yaml. It is as strict as a rule file: every field is known, every name
// of a rule, an attempt, an action, a probe, a guard and a reporter exists, or
// there is a finding at file:line:column.
//
//	apiVersion: paramedic.dev/v1
//	kind: RuleTest
//	metadata: {name: tripgen}
//	spec:
//	  tests:
//	    - name: a restart cures
//	      events:
//	        - {at: 0s, fires: {alertname: ServiceDown, job: profile-service}, severity: critical, repeat: 5m}
//	      expect:
//	        - {at: 0s, plan: kubernetes.restart, target: kubernetes/korea/production/Deployment/profile-service}
//	        - {do: kubernetes.restart, rule: service-down, attempt: restart}
//	        - {ended: cured, within: 3m}
//	      never:
//	        - {do: kubernetes.rollback}
//	    - name: a restart that does not help is followed by a rollback, once somebody agrees
//	      world:
//	        - {probe: http, fails: status 503, attempt: restart}
//	      events:
//	        - {at: 0s, fires: {alertname: ServiceDown, job: profile-service}, severity: critical, repeat: 5m}
//	        - {at: 10m, approve: service-down, by: kim}
//	      expect:
//	        - {do: kubernetes.restart}
//	        - {failed: restart, reason: status 503}
//	        - {asked: approval, attempt: roll-back}
//	        - {at: 10m, do: kubernetes.rollback}
//	        - {ended: cured}
//
// Times are durations since the start, such as 90s or 1h30m. All lists are in
// order. A text that names a target may have * in it, for any characters; in a
// name of an action or a probe of the world, "*" alone stands for all.
//
// spec has
//
//	rules: [tripgen.yaml]         the rule files, or patterns, as seen from the test file;
//	                              by default the one with the test's name without _test
//	start: 2026-03-02T09:00:00Z   the virtual time at which every test begins, a Monday (this is the
//	                              default); a test can say its own
//	mode: auto                    play all rules as if they said this mode; a test can say its own.
//	                              So a rule that is not trusted yet can be tested as if it were.
//	world: [...]                  for all tests, behind each test's own
//	tests: [...]
//
// A test has
//
//	name: TEXT                    unique in the file
//	start: TIME, mode: MODE       as above
//	world: [...]                  what workers answer
//	events: [...]                 what happens
//	expect: [...]                 what must follow, in this order; more may lie between
//	only: [do, ended] | true      nothing of these kinds (true: of any kind) may follow but what expect has
//	never: [...]                  what must not follow
//	until: 30m                    when it is over; by default as soon as all events have come and no
//	                              run is active, and after 48h, or 1h after the last event, at the latest
//
// Without expect, only and never a test proves nothing, and is refused.
//
// # World
//
// Without a world, workers answer every plan, check, action and undo after 1s and
// well: a plan has the target that the rule stated, changes something, and takes
// no healthy instance away; every probe holds, so that a verification is answered
// as soon as it has held for the attempt's stable. Each entry changes that for what
// it fits, and the first that fits answers:
//
//   - {plan: kubernetes.restart, target: kubernetes/korea/production/Deployment/x,
//     summary: TEXT, noop: true, health: {total: 3, healthy: 1, disrupts: 1}}
//   - {action: kubernetes.restart, fails: boom, class: retryable, times: 2}
//   - {undo: kubernetes.scale, hangs: true}
//   - {probe: http, fails: status 503, for: 90s}
//
// Exactly one of plan, action, undo and probe says what is asked. Then
//
//	rule, attempt, on    only for this rule, this attempt, this target (for a plan as the rule
//	                     states it, else canonical)
//	from, until          only from and before these times; times: N only the first N of them
//	takes: 10s           how long the answer takes (not for probes)
//	hangs: true          no worker ever answers
//	fails: TEXT          it fails, and says this. A probe that fails does not hold;
//	for: 90s             so long after the verification began. Then it holds.
//	class: CLASS         of the failure: retryable, terminal (the default), unknown,
//	                     plan-changed, paused, expired. For a probe: that the verification or check
//	                     could not be done at all, which says nothing of the world.
//	retryAfter: 30s      what a retryable failure asks for
//	in: check | verify   only where a check, or a verification, asks for the probe
//	target, summary, noop, health   what the plan says; target is the canonical one
//
// # Events
//
//   - {at: 0s, fires: {alertname: A, job: x}, severity: critical, repeat: 5m, for: 20m}
//   - {at: 2m, resolves: {alertname: A}}
//   - {at: 0s, triggers: RULE, labels: {region: x}}
//   - {at: 3m, approve: RULE, by: kim, reason: TEXT, on: TARGET}
//   - {at: 3m, pause: all, by: kim}
//   - {at: 5m, rules: [newer.yaml]}
//   - {at: 1m, restart: true}
//
// Each has at (default: that of the one before; the first 0s) and exactly one of
//
//	fires      an alert with these labels. severity is short for the label of that name;
//	           annotations, source (default alertmanager) and url may be given. Notifications
//	           come once, and with repeat again and again until it resolves, which it does
//	           with for after so long. Alerts with the same labels are one: one that fires
//	           still is notified again, one that has resolved begins a new episode.
//	resolves   the one alert that fires then and has these labels
//	triggers   what the rule's own trigger (schedule, probe, rollout, cost, manual) would raise,
//	           with these labels beside the rule's; repeat and for as above. The restore of a
//	           schedule is when that resolves: {triggers: nightly, for: 12h}. Once more it is a
//	           new start, which takes the place of the one before; that of a probe, or of a
//	           rollout that is stuck, is notified again
//	approve, deny, cancel   the run of this rule: the one that waits for an answer, or for
//	           cancel the active one. on says which, by its target, if there are several.
//	           If there is none, the test fails.
//	pause, resume   a scope: all, rule/NAME, cluster/NAME or target/TARGET
//	rules      these files are in force from here on
//	restart    the engine is stopped and started: its state is read back from the ledger's form and
//	           from the snapshot's, which must be the same, and goes on
//
// What comes at one time comes in this order: alerts and pauses; workers' answers;
// approve, deny, cancel, rules and restart; and at last what only time brings, such
// as a wait that is over.
//
// # Expectations
//
// Each line has exactly one of
//
//	started: RULE                  a run began
//	reported: REPORTER             and this reporter is told of it; to: WHERE
//	joined: RULE, merged: RULE     an alert joined the run; the run ended in favour of another
//	continued: ATTEMPT             a relapse goes on with this attempt
//	plan, do, undo: ACTION         a worker is asked for it; params: {…} are those that it must have
//	check, verify: passed|failed|unknown   the answer of a check, of a verification; unknown is no answer
//	retry: plan|check|do|verify|undo       it will be tried again
//	held: GUARD                    by paused, flap, busy, cooldown, holdDown, limit, budget, window, unless,
//	                               requires, concurrent or minHealthy; once, however long it lasts.
//	                               The guard freshness holds no run, it ends it: ended: held
//	allowed: ATTEMPT               all guards let it act
//	asked: approval                a person must agree
//	approved: BY                   somebody did
//	standing: ATTEMPT              it did what it was to do, which stays until its restore
//	failed: ATTEMPT                it did not cure
//	parked: ACTION                 it is not known whether it was applied
//	ended: OUTCOME                 cured, uncured, resolved, observed, shadowed, held, denied, unapproved,
//	                               unknown, merged, cancelled or restored
//	escalated: REPORTER            people are asked; to: WHERE
//	unmatched: ALERTNAME           no rule is for this alert
//	error: RULE                    it cannot be told whether the rule acts
//	refused: VERB                  approve, deny, cancel, pause or resume changed nothing
//
// where * stands for every name, and may say more, all of which must be so:
//
//	at: 10s                exactly then
//	after: 10s, before: 3m no earlier, no later than this
//	within: 3m             no later than so long after the line before (the first: after the start)
//	rule, attempt, target  of the run: its rule, the attempt that it is on, its target
//	alert: {job: x}        the first alert of the run has these labels
//	mode: MODE             of the run (for started)
//	reason: TEXT           the reason has this text in it; for do and undo the plan's summary
//
// # Coverage
//
// What no test reached of the rules: rules that no alert set off, attempts that
// never acted (in a mode that does not act: never planned; of those that only look:
// never looked), guards that are on and
// never held. See [Coverage].
//
// # Use
//
// [Find] lists files, [Run] parses and plays them, [Schema] describes the format
// to editors. A result is plain data with three renderings: [Report.Text], [Report.JUnit]
// and its JSON. Tests share nothing; Run is safe for concurrent use.
//
// Tests: testdata has good files, which pass, and bad ones with the output that
// they must give (go test -update rewrites it); FuzzParse holds that no file panics.
package ruletest
