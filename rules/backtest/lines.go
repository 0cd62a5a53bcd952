package backtest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

const (
	// mostLine bounds a line, in bytes; a message of the bus is far smaller.
	mostLine = 64 << 20
	// disorder is how far a time may go back: writers of one file may lag behind
	// each other. What is late counts as come when it was read.
	disorder = time.Minute
)

// File is a recording as JSON lines: each is {"at": TIME, "input": {...}} with
// one input of the engine as INBOX has it, or one normalised delivery. A name
// that ends in .gz is of a compressed one.
type File struct{ Name string }

// About implements [Source].
func (f File) About() About { return About{From: f.Name} }

// Each implements [Source]. Errors name file and line.
func (f File) Each(ctx context.Context, take func(Recorded) error) error {
	last := time.Time{}
	return f.lines(ctx, func(n int, line []byte) error {
		r, err := decodeLine(line)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", f.Name, n, err)
		}
		if r.At.Before(last) {
			if last.Sub(r.At) > disorder {
				return fmt.Errorf("%s:%d: at %s lies %s before the line above: sort the lines by time", f.Name, n, r.At.Format(time.RFC3339Nano), last.Sub(r.At))
			}
			r.At = last
		}
		last = r.At
		if err := take(r); err != nil {
			return fmt.Errorf("%s:%d: %w", f.Name, n, err)
		}
		return nil
	})
}

// Survey implements [Surveyor].
func (f File) Survey(ctx context.Context) (Survey, error) {
	s := Survey{Answered: map[string]struct{}{}}
	err := f.lines(ctx, func(n int, line []byte) error {
		// Most lines are deliveries, and need not be decoded for this.
		ticks, results := bytes.Contains(line, []byte(`"tick"`)), bytes.Contains(line, []byte(`"result"`))
		if !ticks && !results {
			return nil
		}
		r, err := decodeLine(line)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", f.Name, n, err)
		}
		if r.Input.Tick != nil {
			s.Ticks = true
		}
		if r.Input.Result != nil {
			s.Answered[r.Input.Result.Task] = struct{}{}
		}
		return nil
	})
	return s, err
}

// lines calls take with every line that is not empty, and its number.
func (f File) lines(ctx context.Context, take func(n int, line []byte) error) (err error) {
	file, err := os.Open(f.Name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	var in io.Reader = file
	if strings.HasSuffix(f.Name, ".gz") {
		unpacked, err := gzip.NewReader(bufio.NewReader(file))
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		in = unpacked
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 256<<10), mostLine)
	n := 0
	for lines.Scan() {
		n++
		if n%1024 == 0 && ctx.Err() != nil {
			return fmt.Errorf("%s:%d: %w", f.Name, n, ctx.Err())
		}
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := take(n, line); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s:%d: %w", f.Name, n+1, err)
	}
	return nil
}

// recordedLine is either form of a line.
type recordedLine struct {
	At    time.Time       `json:"at"`
	Input json.RawMessage `json:"input"`
	alert.Delivery
}

func decodeLine(line []byte) (Recorded, error) {
	var l recordedLine
	if err := json.Unmarshal(line, &l); err != nil {
		return Recorded{}, fmt.Errorf("not a recorded input: %w", err)
	}
	switch {
	case l.Input != nil && l.Alerts != nil:
		return Recorded{}, errors.New(`both "input" and "alerts" are set: want a recorded input or a delivery`)
	case l.Input != nil:
		if l.At.IsZero() {
			return Recorded{}, errors.New(`"at" is missing: want the time at which the input came`)
		}
		in, err := engine.UnmarshalLine(l.Input)
		return Recorded{At: l.At, Input: in}, err
	case len(l.Alerts) > 0:
		if l.ReceivedAt.IsZero() {
			return Recorded{}, errors.New(`the delivery's "receivedAt" is missing`)
		}
		for i := range l.Alerts {
			if l.Alerts[i].Source == "" {
				l.Alerts[i].Source = l.Source
			}
		}
		return Recorded{At: l.ReceivedAt, Input: engine.Input{Delivery: &l.Delivery}}, nil
	}
	return Recorded{}, errors.New(`neither {"at": TIME, "input": {...}} nor a delivery with "alerts"`)
}

// Writer writes a recording that [File] reads.
type Writer struct{ out *json.Encoder }

// NewWriter writes to out.
func NewWriter(out io.Writer) *Writer { return &Writer{out: json.NewEncoder(out)} }

// Write adds one input, as one line.
func (w *Writer) Write(r Recorded) error {
	if err := w.out.Encode(r); err != nil {
		return fmt.Errorf("write the recording: %w", err)
	}
	return nil
}

// Record is a source that also writes what is read of it.
type Record struct {
	Source
	To *Writer
}

// Each implements [Source].
func (r Record) Each(ctx context.Context, take func(Recorded) error) error {
	return r.Source.Each(ctx, func(rec Recorded) error {
		if err := r.To.Write(rec); err != nil {
			return err
		}
		return take(rec)
	})
}

// Survey implements [Surveyor].
func (r Record) Survey(ctx context.Context) (Survey, error) {
	if s, ok := r.Source.(Surveyor); ok {
		return s.Survey(ctx)
	}
	return Survey{}, nil
}
