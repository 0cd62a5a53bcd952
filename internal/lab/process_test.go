package lab

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"path/filepath"
	"testing"
	"time"
)

func TestStopAsksFirst(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"trap 'echo asked; exit 0' INT; echo up; while :; do sleep 0.05; done": "up\nasked",
		"trap '' INT; echo up; while :; do sleep 0.05; done":                   "up", // deaf, so killed after the grace
	} {
		p, err := startProcess(t.Context(), t.TempDir(), "script", "sh", "-c", script)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.await(t.Context(), func(context.Context) error {
			if p.tail() != "up" {
				return errors.New("not up")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := p.stop(300 * time.Millisecond); err != nil {
			t.Error(err)
		}
		if got := p.tail(); got != want {
			t.Errorf("%s: wrote %q, want %q", script, got, want)
		}
	}
}

func TestFailedStartTellsComponentAndLog(t *testing.T) {
	t.Parallel()
	for script, taken := range map[string]bool{
		"echo no such flag; exit 2":                                 false,
		"echo listen tcp 127.0.0.1:1: bind: address already in use": true,
	} {
		p, err := startProcess(t.Context(), t.TempDir(), "etcd", "sh", "-c", script)
		if err != nil {
			t.Fatal(err)
		}
		err = p.await(t.Context(), func(context.Context) error { return errors.New("not ready") })
		var failed *StartError
		if !errors.As(err, &failed) || failed.Component != "etcd" || failed.Log == "" || !errors.Is(err, errEnded) {
			t.Errorf("%s: error %v; want a StartError of etcd with its log", script, err)
		}
		if errors.Is(err, errPortTaken) != taken {
			t.Errorf("%s: taken for a lost port: %v, want %v", script, !taken, taken)
		}
	}
	if _, err := startProcess(t.Context(), t.TempDir(), "etcd", filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing program: error %v, want %v", err, fs.ErrNotExist)
	}
}

func TestPollTellsTheLastReason(t *testing.T) {
	t.Parallel()
	reason := errors.New("not yet")
	ctx, cancel := context.WithTimeout(t.Context(), 3*pollInterval)
	defer cancel()
	if err := poll(ctx, func(context.Context) error { return reason }); !errors.Is(err, reason) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the reason and the deadline", err)
	}
	if err := poll(t.Context(), func(context.Context) error { return final(reason) }); !errors.Is(err, reason) {
		t.Errorf("error %v, want the final one", err)
	}
}

func TestFreeAddressesDiffer(t *testing.T) {
	t.Parallel()
	addresses, err := freeAddresses(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, address := range addresses {
		if seen[address] {
			t.Errorf("%s twice", address)
		}
		seen[address] = true
		if host, _, err := net.SplitHostPort(address); err != nil || host != loopback {
			t.Errorf("%s: %v", address, err)
		}
	}
}
