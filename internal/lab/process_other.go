//go:build !linux

package lab

import (
	"os"
	"os/exec"
)

// bind does nothing: only Linux has a parent-death signal, and without it an interrupt at the terminal had better
// reach the servers too.
func bind(*exec.Cmd) {}

func killGroup(p *os.Process) error { return p.Kill() }
