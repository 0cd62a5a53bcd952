package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tripgen/paramedic/internal/app"
	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/internal/engine"
)

const (
	// childEnv makes this program the child; its value is an order.
	childEnv = "PARAMEDIC_CRASH_CHILD"
	// listenerFD is where the child finds the listener that outlives it.
	listenerFD = 3
	// ackWait is short, so that a killed life's tasks come again soon.
	ackWait     = 3 * time.Second
	statusEvery = 100 * time.Millisecond
)

// order is what the parent wants of a child.
type order struct {
	// Config is the path of its configuration file.
	Config string `json:"config"`
	// Hits is where the counts of the points go at an orderly end.
	Hits string `json:"hits"`
	Kill kill   `json:"kill"`
}

// status is what a child says of itself, a line of JSON on its output. The
// parent knows by it when there is nothing left to wait for; it proves nothing.
type status struct {
	At time.Time `json:"at"`
	// Behind is how many INBOX messages are not decided yet.
	Behind uint64 `json:"behind"`
	Active int    `json:"active"`
	Ended  int    `json:"ended"`
	// Parked are those of the active that wait for a person.
	Parked int `json:"parked"`
}

func (s status) settled(runs int) bool { return s.Behind == 0 && s.Active == 0 && s.Ended >= runs }

// isChild says whether this process was started as one, and returns its order.
func isChild() (o order, yes bool, err error) {
	text, yes := os.LookupEnv(childEnv)
	if !yes {
		return order{}, false, nil
	}
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return order{}, true, fmt.Errorf("%s: %w", childEnv, err)
	}
	return o, true, nil
}

// runChild is Paramedic until it is told to end, or its input does because the
// parent is gone, or it meets its trap.
func runChild(ctx context.Context, o order) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	go func() {
		// Ends with the process: a read of the input cannot be given up.
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	cfg, err := config.Load(o.Config, config.ProcessEnv())
	if err != nil {
		return err
	}
	file := os.NewFile(listenerFD, "listener")
	listener, err := net.FileListener(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("the parent's listener: %w", err)
	}
	trap := newTrap(o.Kill)
	a, err := app.Start(ctx, app.Options{
		Config: cfg, Version: "crash", Listener: listener, AckWait: ackWait, Hook: trap.pass,
		Logger: slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		return err
	}
	telling, quiet := context.WithCancel(ctx)
	told := make(chan error, 1)
	go func() { told <- tell(telling, a, json.NewEncoder(os.Stdout)) }()
	err = a.Wait(ctx)
	quiet()
	return errors.Join(err, <-told, a.Close(context.WithoutCancel(ctx)), trap.write(o.Hits))
}

// tell writes a status again and again until ctx ends.
func tell(ctx context.Context, a *app.App, out *json.Encoder) error {
	ticker := time.NewTicker(statusEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		s := status{At: time.Now()}
		last, err := a.Bus().InboxLast(ctx)
		if err != nil {
			continue // no status is no harm
		}
		a.Responder().View(func(st *engine.State) {
			s.Behind = last - min(st.Inbox, last)
			for _, r := range st.Runs {
				if r.Active() {
					s.Active++
				} else {
					s.Ended++
				}
				if r.Phase == engine.PhaseParked {
					s.Parked++
				}
			}
		})
		if err := out.Encode(s); err != nil {
			return fmt.Errorf("status: %w", err)
		}
	}
}
