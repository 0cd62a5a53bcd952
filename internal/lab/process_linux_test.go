package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const orphanVariable = "PARAMEDIC_LAB_TEST_ORPHAN"

// TestServersDieWithTheirOwner kills a process that has started a server and looks that the server goes too.
func TestServersDieWithTheirOwner(t *testing.T) {
	if folder := os.Getenv(orphanVariable); folder != "" {
		p, err := startProcess(t.Context(), folder, "sleep", "sleep", "1000")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("server", p.cmd.Process.Pid)
		<-p.done // until the test kills this process
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	owner := exec.CommandContext(t.Context(), self, "-test.run=^TestServersDieWithTheirOwner$")
	owner.Env = append(os.Environ(), orphanVariable+"="+t.TempDir())
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	server := 0
	for lines := bufio.NewScanner(out); server == 0 && lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "server "); ok {
			if server, err = strconv.Atoi(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	if server == 0 || !alive(server) {
		t.Fatalf("the owner started no server (%d)", server)
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := owner.Wait(); err == nil {
		t.Error("the owner ended by itself")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := poll(ctx, func(context.Context) error {
		if alive(server) {
			return fmt.Errorf("process %d lives on", server)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// alive reports whether the process runs: neither gone nor a zombie that nobody has waited for.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// TestServersOutliveThreads starts a server from a thread that then ends, which alone must not end the server.
func TestServersOutliveThreads(t *testing.T) {
	var p *process
	var err error
	thread := make(chan int)
	folder := t.TempDir()
	start := func() {
		runtime.LockOSThread() // and never unlocked, so the thread ends with the goroutine
		p, err = startProcess(t.Context(), folder, "sleep", "sleep", "1000")
		thread <- syscall.Gettid()
	}
	started := make(chan struct{})
	go func() {
		defer close(started)
		if runtime.LockOSThread(); syscall.Gettid() != os.Getpid() {
			start()
			return
		}
		// The main thread does not end with a goroutine. While it is held here,
		// another one is taken.
		defer runtime.UnlockOSThread()
		handed := make(chan struct{})
		go func() {
			defer close(handed)
			start()
		}()
		<-handed
	}()
	tid := <-thread
	<-started
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := poll(ctx, func(context.Context) error {
		if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", tid)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("thread %d lives on (%w)", tid, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if p.ended() || !alive(p.cmd.Process.Pid) {
		t.Errorf("the server ended with the thread that asked for it: %v", p.exit())
	}
	if err := p.stop(0); err != nil {
		t.Error(err)
	}
	if !p.ended() {
		t.Error("stopped, but not ended")
	}
}
