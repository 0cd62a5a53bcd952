package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/rules"
	"github.com/tripgen/paramedic/rules/backtest"
)

// againstRecorded stands for what was really decided.
const againstRecorded = "recorded"

// backtesting is one call of the command backtest.
type backtesting struct {
	connection *connection
	now        func() time.Time

	from, since, until, mode, assume string
	rules, against                   []string
	approveAfter                     time.Duration
	failOnDifference                 bool
	format, out, record, config      string
	prometheus                       prometheusFlags
}

func newBacktestCmd(env environment) *cobra.Command {
	b := &backtesting{connection: &connection{environment: env, output: formatText}, now: time.Now}
	cmd := &cobra.Command{
		Use:   "backtest --from SOURCE [--rules FILE]...",
		Short: "Say what rules would have done on real history",
		Long: `Plays recorded alerts through the engine that "paramedic serve" runs, and says
what each rule would have done and when, what each guard would have held, and how
many alerts ended by themselves first. SOURCE is one of

  FILE             JSON lines, .gz too: {"at": TIME, "input": {...}}, or deliveries
  bus              what a running Paramedic has recorded (--server, --token-file)
  prometheus=URL   the series ALERTS and ALERTS_FOR_STATE of a Prometheus

Without --rules, a recording is replayed under its own rules: the decisions are
those that were taken. With --against OLD both are played over the same history,
and the difference is told; "--against recorded" compares with what was decided.
Nothing is changed anywhere. The report says what it assumes.

Exit code 0: it ran, 3: there is a difference and --fail-on-difference, 1: it
could not run.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return b.run(cmd) },
	}
	f := cmd.Flags()
	b.connection.reach(f)
	f.StringVar(&b.from, "from", "", "where the history is: FILE, bus, or prometheus=URL")
	f.StringVar(&b.since, "since", "", "begin so long before the end (30d, 12h), or at a time as in RFC 3339 (default 30d of Prometheus, else all)")
	f.StringVar(&b.until, "until", "", "end at this time, or so long ago (default now, or the end of the recording)")
	f.StringArrayVar(&b.rules, "rules", nil, "rule file or pattern; may be given several times (default the recorded rules)")
	f.StringArrayVar(&b.against, "against", nil, `rule file or pattern to compare with, or "recorded"; may be given several times`)
	configured(f, &b.config)
	f.StringVar(&b.mode, "mode", "as-written", "put every rule of --rules in this mode: observe, shadow, approve or auto")
	f.StringVar(&b.assume, "assume", string(backtest.AssumeHistory), "what actions bring about: history (alerts go on as they did) or cured")
	f.DurationVar(&b.approveAfter, "approve-after", 0, "somebody approves every plan so long after being asked (default nobody)")
	f.BoolVar(&b.failOnDifference, "fail-on-difference", false, "exit with 3 if --against shows a difference")
	f.StringVar(&b.format, "format", formatText, "text, json or html")
	f.StringVarP(&b.out, "output", "o", "", "write the report to this file (default standard output)")
	f.StringVar(&b.record, "record", "", "also write the history to this file, for --from FILE")
	b.prometheus.add(cmd)
	return cmd
}

func (b *backtesting) run(cmd *cobra.Command) (err error) {
	o, write, err := b.options()
	if err != nil {
		return err
	}
	progress := &progress{out: cmd.ErrOrStderr(), now: b.now}
	src, done, err := b.source(cmd, &o, progress)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	o.Source, o.Progress = src, progress.played
	var report *backtest.Report
	play := func(w io.Writer) error {
		if w != nil {
			o.Source = backtest.Record{Source: src, To: backtest.NewWriter(w)}
		}
		report, err = backtest.Run(cmd.Context(), o)
		return err
	}
	if b.record != "" {
		err = writeWhole(b.record, play)
	} else {
		err = play(nil)
	}
	if err != nil {
		return err
	}
	if err := b.print(cmd.OutOrStdout(), func(w io.Writer) error { return write(w, report) }); err != nil {
		return err
	}
	if b.failOnDifference && report.Against.Different() {
		return errFindings
	}
	return nil
}

func (b *backtesting) print(out io.Writer, write func(io.Writer) error) error {
	if b.out == "" || b.out == "-" {
		return write(out)
	}
	return writeWhole(b.out, write)
}

// options checks the flags that are not about the source.
func (b *backtesting) options() (o backtest.Options, write func(io.Writer, *backtest.Report) error, err error) {
	switch b.format {
	case formatText:
		write = backtest.WriteText
	case formatJSON:
		write = backtest.WriteJSON
	case "html":
		write = backtest.WriteHTML
	default:
		return o, nil, fmt.Errorf("--format %q: want text, json or html", b.format)
	}
	if o.Mode, err = b.parseMode(); err != nil {
		return o, nil, err
	}
	o.Assume = backtest.Assumption(b.assume)
	if o.Assume != backtest.AssumeHistory && o.Assume != backtest.AssumeCured {
		return o, nil, fmt.Errorf("--assume %q: want %s or %s", b.assume, backtest.AssumeHistory, backtest.AssumeCured)
	}
	if b.approveAfter < 0 {
		return o, nil, fmt.Errorf("--approve-after %s: want no less than 0", b.approveAfter)
	}
	o.ApproveAfter = b.approveAfter
	if b.failOnDifference && len(b.against) == 0 {
		return o, nil, errors.New("--fail-on-difference needs --against")
	}
	if o.Since, o.Until, err = b.times(); err != nil {
		return o, nil, err
	}
	if err := b.compile(&o); err != nil {
		return o, nil, err
	}
	return o, write, nil
}

func (b *backtesting) parseMode() (engine.Mode, error) {
	mode := engine.Mode(b.mode)
	switch mode {
	case "as-written":
		return "", nil
	case engine.ModeObserve, engine.ModeShadow, engine.ModeApprove, engine.ModeAuto:
		return mode, nil
	}
	return "", fmt.Errorf("--mode %q: want as-written, observe, shadow, approve or auto", b.mode)
}

// compile makes the rule sets.
func (b *backtesting) compile(o *backtest.Options) error {
	catalog, err := buildCatalog(b.config)
	if err != nil {
		return err
	}
	o.Compile = func(files []engine.Source) (engine.RuleSet, error) {
		set, findings := rules.Parse(files, catalog)
		if findings.Failed() {
			return nil, fmt.Errorf("the rules have errors:\n%s", findings.Format())
		}
		return set, nil
	}
	if len(b.rules) > 0 {
		if o.Rules, err = candidate(o.Compile, b.rules); err != nil {
			return fmt.Errorf("--rules: %w", err)
		}
	}
	switch {
	case len(b.against) == 0:
	case slices.Equal(b.against, []string{againstRecorded}):
		o.Against = &backtest.Candidate{}
	default:
		c, err := candidate(o.Compile, b.against)
		if err != nil {
			return fmt.Errorf("--against: %w", err)
		}
		o.Against = &c
	}
	return nil
}

func candidate(compile backtest.Compiler, paths []string) (backtest.Candidate, error) {
	files, err := rules.Load(paths...)
	if err != nil {
		return backtest.Candidate{}, err
	}
	set, err := compile(files)
	return backtest.Candidate{Name: strings.Join(paths, ", "), Set: set}, err
}

// times are the bounds that were given; zero where none was.
func (b *backtesting) times() (since, until time.Time, err error) {
	now := b.now()
	if until, err = instant(b.until, now); err != nil {
		return since, until, fmt.Errorf("--until %q: %w", b.until, err)
	}
	end := until
	if end.IsZero() {
		end = now
	}
	if since, err = instant(b.since, end); err != nil {
		return since, until, fmt.Errorf("--since %q: %w", b.since, err)
	}
	if !since.IsZero() && !since.Before(end) {
		return since, until, fmt.Errorf("--since %s is not before the end, %s", since.Format(time.RFC3339), end.Format(time.RFC3339))
	}
	return since, until, nil
}

// instant is a time, or so long before another; zero for no text.
func instant(text string, before time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	ago, err := longDuration(text)
	if err != nil || ago < 0 {
		return time.Time{}, errors.New("want a duration such as 30d or 12h, or a time such as 2026-03-01T00:00:00Z")
	}
	return before.Add(-ago), nil
}

// longDuration is a duration that may begin with days.
func longDuration(text string) (time.Duration, error) {
	days, rest, ok := strings.Cut(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, err
	}
	total := time.Duration(n) * 24 * time.Hour
	if rest == "" {
		return total, nil
	}
	more, err := time.ParseDuration(rest)
	return total + more, err
}
