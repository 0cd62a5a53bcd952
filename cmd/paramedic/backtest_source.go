package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tripgen/paramedic/internal/client"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/rules/backtest"
	"github.com/tripgen/paramedic/rules/backtest/prometheus"
)

// month is how much of a Prometheus is read if nothing is said.
const month = 30 * 24 * time.Hour

// prometheusFlags are about --from prometheus=URL only.
type prometheusFlags struct {
	step, wait, repeat time.Duration
	labels             []string
	tokenFile          string
}

func (p *prometheusFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.DurationVar(&p.step, "step", time.Minute, "of Prometheus: how often its series are looked at")
	f.DurationVar(&p.wait, "group-wait", 30*time.Second, "of Prometheus: how long after a firing began Alertmanager notifies of it")
	f.DurationVar(&p.repeat, "repeat", 4*time.Hour, "of Prometheus: how often Alertmanager repeats a notification")
	f.StringArrayVar(&p.labels, "label", nil, "of Prometheus: NAME=VALUE, an external label that it adds to alerts; may be given several times")
	f.StringVar(&p.tokenFile, "prometheus-token-file", "", "of Prometheus: file that holds a bearer token")
}

// source makes what --from names, and what is to be done when it was read.
func (b *backtesting) source(cmd *cobra.Command, o *backtest.Options, p *progress) (backtest.Source, func() error, error) {
	nothing := func() error { return nil }
	address, isPrometheus := strings.CutPrefix(b.from, "prometheus=")
	switch {
	case b.from == "":
		return nil, nil, errors.New("--from: want FILE, bus, or prometheus=URL")
	case isPrometheus:
		if o.Rules.Set == nil || o.Against != nil && o.Against.Set == nil {
			return nil, nil, errors.New("--from prometheus has no recorded rules: give --rules")
		}
		src, err := b.fromPrometheus(address, o, p)
		return src, nothing, err
	case b.from == "bus":
		return b.fromBus(cmd, o)
	}
	return backtest.File{Name: b.from}, nothing, nil
}

func (b *backtesting) fromPrometheus(address string, o *backtest.Options, p *progress) (backtest.Source, error) {
	q := prometheus.Options{
		URL: address, Step: b.prometheus.step, Wait: b.prometheus.wait, Repeat: b.prometheus.repeat, Labels: map[string]string{},
		Progress: p.read,
	}
	if q.Wait == 0 {
		q.Wait = -1 // none was written, and is not the default
	}
	for _, l := range b.prometheus.labels {
		name, value, ok := strings.Cut(l, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--label %q: want NAME=VALUE", l)
		}
		q.Labels[name] = value
	}
	if file := b.prometheus.tokenFile; file != "" {
		token, err := os.ReadFile(file) //nolint:gosec // the person who runs it names the file
		if err != nil {
			return nil, fmt.Errorf("--prometheus-token-file: %w", err)
		}
		q.Token = string(bytes.TrimSpace(token))
	}
	if o.Until.IsZero() {
		o.Until = b.now()
	}
	if o.Since.IsZero() {
		o.Since = o.Until.Add(-month)
	}
	q.Since, q.Until = o.Since, o.Until
	return prometheus.New(q)
}

// fromBus keeps what the server has recorded in a file, which is read as often
// as it needs to be.
func (b *backtesting) fromBus(cmd *cobra.Command, o *backtest.Options) (_ backtest.Source, done func() error, err error) {
	cl, err := b.connection.client()
	if err != nil {
		return nil, nil, err
	}
	spool, err := os.CreateTemp("", "paramedic-backtest-*.jsonl")
	if err != nil {
		return nil, nil, err
	}
	done = func() error { return os.Remove(spool.Name()) }
	defer func() {
		if err != nil {
			err = errors.Join(err, done())
		}
	}()
	decided := map[uint64]time.Time{}
	if o.Rules.Set == nil || o.Against != nil && o.Against.Set == nil {
		// To decide as it was decided takes the times at which it was.
		if decided, err = decisions(cmd, cl); err != nil {
			return nil, nil, errors.Join(err, spool.Close())
		}
	}
	if err := errors.Join(download(cmd, cl, spool, decided), spool.Close()); err != nil {
		return nil, nil, err
	}
	return named{File: backtest.File{Name: spool.Name()}, name: "the inputs recorded at " + b.connection.address()}, done, nil
}

// decisions are the times at which inputs were decided, by sequence.
func decisions(cmd *cobra.Command, cl *client.Client) (map[uint64]time.Time, error) {
	at := map[uint64]time.Time{}
	err := cl.Ledger(cmd.Context(), 1, func(seq uint64, data []byte) error {
		var rec struct {
			At    time.Time    `json:"at"`
			Cause ledger.Cause `json:"cause"`
		}
		if err := json.Unmarshal(data, &rec); err != nil {
			return fmt.Errorf("ledger record %d: %w", seq, err)
		}
		if _, ok := at[rec.Cause.Inbox]; !ok {
			at[rec.Cause.Inbox] = rec.At
		}
		return nil
	})
	return at, err
}

// download writes the recorded inputs with the times at which they were decided.
// From one without a record nothing followed, so when it was stored will do.
func download(cmd *cobra.Command, cl *client.Client, out io.Writer, decided map[uint64]time.Time) error {
	w := backtest.NewWriter(out)
	var last time.Time
	return cl.Inbox(cmd.Context(), 1, func(in api.RecordedInput) error {
		line, err := engine.UnmarshalLine(in.Input)
		if err != nil {
			return fmt.Errorf("recorded input %d: %w", in.Sequence, err)
		}
		at, ok := decided[in.Sequence]
		if !ok {
			at = in.At
		}
		if at.Before(last) {
			at = last
		}
		last = at
		return w.Write(backtest.Recorded{At: at, Input: line})
	})
}

// named is a recording that is told under another name than its file's.
type named struct {
	backtest.File

	name string
}

// About implements backtest.Source.
func (n named) About() backtest.About {
	return backtest.About{From: n.name, Notes: []string{"A server keeps recorded inputs for a while only: what fired before is not known."}}
}

// progress tells a person how far it is, no more than once a second.
type progress struct {
	out  io.Writer
	now  func() time.Time
	last time.Time
}

func (p *progress) played(at time.Time, inputs int) {
	p.say("played %d inputs, to %s", inputs, at.UTC().Format(time.RFC3339))
}

func (p *progress) read(until time.Time) { p.say("read to %s", until.UTC().Format(time.RFC3339)) }

func (p *progress) say(format string, args ...any) {
	now := p.now()
	if now.Sub(p.last) < time.Second {
		return
	}
	p.last = now
	// It is only told; a standard error that is closed is nothing to fail for.
	_, _ = fmt.Fprintf(p.out, format+"\n", args...)
}
