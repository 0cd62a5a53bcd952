package lab

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// say sends one inline command and gives the first line of the answer.
func say(t *testing.T, address, command string) (string, error) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

func TestRedis(t *testing.T) {
	t.Parallel()
	r := Redis(t, RedisOptions{Config: []string{"requirepass hunter2"}})
	if got, err := say(t, r.Address(), "GET a"); err != nil || !strings.HasPrefix(got, "-NOAUTH") {
		t.Errorf("got %q, %v", got, err)
	}
	if err := r.Freeze(); err != nil {
		t.Fatal(err)
	}
	if got, err := say(t, r.Address(), "PING"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("frozen, it says %q, %v", got, err)
	}
	if err := errors.Join(r.Thaw(), r.Kill()); err != nil {
		t.Fatal(err)
	}
	if got, err := say(t, r.Address(), "PING"); err == nil {
		t.Errorf("killed, it says %q", got)
	}
	again := Redis(t, RedisOptions{Address: r.Address()})
	if got, err := say(t, r.Address(), "SET a b"); err != nil || got != "+OK" || again.Address() != r.Address() {
		t.Errorf("again: %q, %v", got, err)
	}
	replica := Redis(t, RedisOptions{Config: []string{"replicaof " + strings.Replace(r.Address(), ":", " ", 1)}})
	deadline, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := poll(deadline, func(context.Context) error {
		if got, err := say(t, replica.Address(), "GET a"); err != nil || got != "$1" {
			return errors.Join(err, errors.New("the replica has no a: "+got))
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestRedisThatDoesNotStart(t *testing.T) {
	t.Parallel()
	r, err := StartRedis(t.Context(), RedisOptions{Config: []string{"no-such-directive 1"}, Folder: t.TempDir()})
	if failed, ok := errors.AsType[*StartError](err); !ok || !strings.Contains(failed.Log, "no-such-directive") {
		t.Errorf("got %v, %v", r, err)
	}
}

// TestRedisIsMissing has neither the program nor what would fetch it, nor a cache.
func TestRedisIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("PARAMEDIC_LAB_CACHE", filepath.Join(t.TempDir(), "cache"))
	if _, err := StartRedis(t.Context(), RedisOptions{Folder: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "install Redis 7") {
		t.Errorf("got %v", err)
	}
}
