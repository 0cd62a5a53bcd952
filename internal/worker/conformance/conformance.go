package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tripgen/paramedic/internal/bus/access"
	"github.com/tripgen/paramedic/internal/engine"
)

// The environment in which the worker's command is started, beside the caller's.
const (
	EnvURL    = "NATS_URL"
	EnvSeed   = "NATS_NKEY_SEED_FILE"
	EnvDomain = "PARAMEDIC_DOMAIN"
	EnvGroup  = "PARAMEDIC_GROUP"
	EnvAction = "PARAMEDIC_ACTION"
)

// Options say what is tried. Effects and Log are optional.
type Options struct {
	// Command is the worker's, with its arguments.
	Command []string
	Group   string
	Action  string
	Target  engine.Target
	Params  []json.RawMessage
	// Effects is the file or folder in which changes leave the task's id.
	Effects string
	// Folder is empty, and for the server's files.
	Folder string
	// Log takes what the worker prints.
	Log io.Writer
	Now func() time.Time
	// NewID gives texts that are never the same.
	NewID func() string
}

// Verdict is how a try ended.
type Verdict string

// The verdicts. Skipped is for what the worker says it does not have.
const (
	Passed  Verdict = "ok"
	Failed  Verdict = "FAILED"
	Skipped Verdict = "skipped"
)

// Finding is what came of one try.
type Finding struct {
	Name    string
	Verdict Verdict
	// Detail is what was seen, in one line.
	Detail string
}

// skipped ends a try that is not for this worker.
type skipped string

func (s skipped) Error() string { return string(s) }

// Run tries the worker and returns what came of each try, in order: of the first
// only, if the worker cannot even plan. The error is for what kept it from trying.
func Run(ctx context.Context, o Options) ([]Finding, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s, err := newStand(ctx, o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var found []Finding
	for _, try := range tries() {
		detail, err := try.do(ctx, s)
		f := Finding{Name: try.name, Verdict: Passed, Detail: detail}
		skip, isSkip := errors.AsType[skipped](err)
		switch {
		case ctx.Err() != nil:
			return found, fmt.Errorf("%s: %w", try.name, ctx.Err())
		case isSkip:
			f.Verdict, f.Detail = Skipped, skip.Error()
		case err != nil:
			f.Verdict, f.Detail = Failed, err.Error()
		}
		found = append(found, f)
		if f.Verdict == Failed && len(found) == 1 {
			return found, nil // with no plan there is nothing to try it with
		}
	}
	return found, nil
}

func (o Options) check() error {
	switch {
	case len(o.Command) == 0:
		return errors.New("no command: name the program that is the worker")
	case o.Action == "":
		return errors.New("no action: name the one that the worker does")
	case len(o.Params) == 0:
		return errors.New("no parameters: give those of a task, {} if it has none")
	}
	for _, p := range o.Params {
		if !json.Valid(p) {
			return fmt.Errorf("parameters %.80s are no JSON", p)
		}
	}
	if err := o.Target.Validate(); err != nil {
		return err
	}
	return access.CheckGroup(o.Group)
}
