//go:build unix

package conformance

import (
	"os/exec"
	"syscall"
)

// whole has the command's processes form one group, so that they can be ended
// together.
func whole(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killAll(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
