package exec_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	osexec "os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tripgen/paramedic/remediators/exec"
)

// helperVariable has this test's own binary be the command.
const helperVariable = "HELPER"

const (
	token = "hunter2-of-the-environment"
	// The exit statuses of the helper, from sysexits.h where that has them.
	exUsage, exSoftware, exTempFail, exChanged = 64, 70, 75, 66
)

func TestMain(m *testing.M) {
	if what := os.Getenv(helperVariable); what != "" {
		os.Exit(helper(what, os.Args[1:]))
	}
	os.Exit(m.Run())
}

func text(value string) exec.Variable {
	return exec.Variable{Read: func() (string, error) { return value, nil }}
}

// helping is a command that is the helper.
func helping(what string, more map[string]string) exec.Command {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	secret := text(token)
	secret.Secret = true
	env := map[string]exec.Variable{helperVariable: text(what), "TOKEN": secret}
	for name, value := range more {
		env[name] = text(value)
	}
	return exec.Command{Path: path, Env: env, Accepts: []string{".*", ".*"}}
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

func helper(what string, args []string) int {
	switch what {
	case "lamp":
		return lampHelper(args[0])
	case "look":
		say("args %q", args)
		say("env %q", os.Environ())
		files, err := openFiles()
		stdin, inErr := io.ReadAll(os.Stdin)
		folder, dirErr := os.Getwd()
		say("files %q %v, stdin %q %v, folder %s %v, leader %t", files, err, stdin, inErr, folder, dirErr, syscall.Getpgrp() == os.Getpid())
	case "exit":
		say("token %s", os.Getenv("TOKEN"))
		var status int
		if _, err := fmt.Sscan(args[0], &status); err != nil {
			return exSoftware
		}
		return status
	case "kill":
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return exSoftware
		}
		select {}
	case "hang":
		if len(args) > 0 {
			signal.Ignore(syscall.SIGTERM)
		}
		alive()
	case "spam":
		chunk := []byte(strings.Repeat("x", 1<<20) + token)
		for {
			if _, err := os.Stdout.Write(chunk); err != nil {
				return exSoftware
			}
		}
	case "leave":
		return leave(args[0] == "outside")
	}
	return 0
}

// openFiles are those that were open before this process opened any.
func openFiles() ([]string, error) {
	names, err := filepath.Glob("/proc/self/fd/*")
	var open []string
	for _, name := range names {
		to, linkErr := os.Readlink(name)
		if linkErr == nil && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/sys/fs/cgroup/") { // the runtime's own
			open = append(open, filepath.Base(name)+" "+strings.TrimRight(to, "0123456789[]"))
		}
	}
	return open, err
}

// alive holds a lock that others can see for as long as the process lives, and says
// so in a file.
func alive() {
	f, err := os.OpenFile(os.Getenv("LOCK"), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		err = errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_EX), os.WriteFile(os.Getenv("LOCK")+".held", nil, 0o600))
	}
	if err != nil {
		os.Exit(exSoftware)
	}
	select {}
}

// leave ends while a child of its own lives on, with its output open.
func leave(outside bool) int {
	child := osexec.CommandContext(context.Background(), os.Args[0])
	child.Env = append(os.Environ(), helperVariable+"=hang")
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: outside}
	if err := child.Start(); err != nil {
		return exSoftware
	}
	for {
		if _, err := os.Stat(os.Getenv("LOCK") + ".held"); err == nil {
			say("left %d", child.Process.Pid)
			return 0
		}
	}
}

// lampHelper switches a lamp of the service at URL, tells whether it did, or
// switches it back. It prints its token, as careless programs do.
func lampHelper(name string) int {
	say("token %s", os.Getenv("TOKEN"))
	at := os.Getenv("URL") + "/" + name
	status := 0
	switch os.Getenv("PARAMEDIC_STEP") {
	case "run":
		status = ask(http.MethodPost, at, os.Getenv("PARAMEDIC_TASK"))
	case "plan", "probe":
		status = ask(http.MethodGet, at, "")
	case "undo":
		before, err := io.ReadAll(os.Stdin)
		if err != nil || len(before) == 0 {
			return exSoftware
		}
		status = ask(http.MethodPost, at+"/undo", os.Getenv("PARAMEDIC_UNDOES"))
	case "observe":
		switch ask(http.MethodGet, at+"?task="+os.Getenv("PARAMEDIC_TASK"), "") {
		case http.StatusOK:
			return 0
		case http.StatusNotFound:
			return 1
		}
		return exSoftware
	}
	switch {
	case status >= 200 && status < 300:
		return 0
	case status == http.StatusConflict:
		return exChanged
	case status == http.StatusTooManyRequests || status == 0:
		return exTempFail
	case status >= 400 && status < 500:
		return exUsage
	}
	return exSoftware
}

// ask sends a request once; 0 is one that was not sent, -1 one without an answer.
func ask(method, url, body string) int {
	req, err := http.NewRequestWithContext(context.Background(), method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0
	}
	req.GetBody = nil
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return 0
	case err != nil:
		return -1
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
