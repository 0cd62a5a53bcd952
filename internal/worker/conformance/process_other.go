//go:build !unix

package conformance

import "os/exec"

func whole(*exec.Cmd) {}

// killAll ends the command alone: there are no process groups here.
func killAll(cmd *exec.Cmd) error { return cmd.Process.Kill() }
