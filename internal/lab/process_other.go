//go:build !linux

package lab

import (
	"errors"
	"os"
	"os/exec"
)

// bind does nothing: only Linux has a parent-death signal, and without it an interrupt at the terminal had better
// reach the servers too.
func bind(*exec.Cmd) {}

func killGroup(p *os.Process) error { return p.Kill() }

func freeze(*os.Process) error { return errors.New("a process is frozen on Linux only") }

func thaw(*os.Process) error { return nil }
