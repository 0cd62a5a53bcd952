package access_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/bus/access"
)

// startCluster runs three servers that include the accounts in a folder, and
// returns their addresses.
func startCluster(t *testing.T, dir string) []string {
	t.Helper()
	const size = 3
	var routes []string
	for range size {
		var lc net.ListenConfig
		l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		routes = append(routes, "nats://"+l.Addr().String())
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := &site{t: t, dir: dir}
	servers := make([]*server.Server, size)
	for i := range servers {
		file := filepath.Join(dir, fmt.Sprintf("nats-%d.conf", i))
		s.write(file, fmt.Sprintf("server_name: n%d\nlisten: 127.0.0.1:-1\njetstream {store_dir: %q}\ncluster {name: test, listen: %q, routes: [%s]}\ninclude %s\n",
			i, t.TempDir(), strings.TrimPrefix(routes[i], "nats://"), strings.Join(routes, ", "), access.AccountsFile))
		o, err := server.ProcessConfigFile(file)
		if err != nil {
			t.Fatal(err)
		}
		o.NoSigs, o.NoLog = true, true
		if servers[i], err = server.NewServer(o); err != nil {
			t.Fatal(err)
		}
		servers[i].Start()
		t.Cleanup(func() {
			servers[i].Shutdown()
			servers[i].WaitForShutdown()
		})
	}
	var urls []string
	for _, one := range servers {
		if !one.ReadyForConnections(20 * time.Second) {
			t.Fatal("a server is not ready")
		}
		urls = append(urls, one.ClientURL())
	}
	return urls
}

// TestAGroupDoesItsWorkOnACluster: whichever server it reaches, and whichever
// leads the streams.
func TestAGroupDoesItsWorkOnACluster(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir := t.TempDir()
	a := open(t, dir)
	if err := errors.Join(a.Add("seoul"), a.Add("tokyo")); err != nil {
		t.Fatal(err)
	}
	save(t, a)
	urls := startCluster(t, dir)
	hub := opened(ctx, t, bus.Config{URL: strings.Join(urls, ","), Credentials: a.SeedFile(access.Hub), Replicas: 3, MaxStore: 256 << 20})
	if err := errors.Join(hub.EnsureClaims(ctx, "seoul"), hub.EnsureWork(ctx, "seoul", time.Minute)); err != nil {
		t.Fatal(err)
	}
	for i, url := range urls {
		id := fmt.Sprintf("t-%d", i)
		worker := opened(ctx, t, bus.Config{URL: url, Credentials: a.SeedFile("seoul"), Domain: access.Domain, Join: "seoul"})
		q, err := worker.Work(ctx, "seoul", []string{"a"}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := hub.PublishWork(ctx, "seoul", "a", id, []byte(id)); err != nil {
			t.Fatal(err)
		}
		job, err := q.Next(ctx)
		if err != nil || job.ID != id {
			t.Fatalf("server %d: %+v, %v", i, job, err)
		}
		rev, err := worker.Claims("seoul").Create(ctx, id, []byte("mine"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := worker.Claims("seoul").Create(ctx, id, nil); !errors.Is(err, bus.ErrExists) {
			t.Errorf("server %d: a second claim: %v", i, err)
		}
		_, err = worker.Claims("seoul").Update(ctx, id, []byte("done"), rev)
		_, listErr := worker.Pauses().List(ctx)
		_, sendErr := worker.PublishInbox(ctx, bus.ResultKind("seoul"), id, []byte("{}"))
		if err := errors.Join(err, listErr, sendErr, job.InProgress(), job.Ack(ctx)); err != nil {
			t.Errorf("server %d: %v", i, err)
		}
	}
	if left, err := hub.WorkLeft(ctx, "seoul"); err != nil || left != 0 {
		t.Errorf("%d tasks are left, %v", left, err)
	}
	if last, err := hub.InboxLast(ctx); err != nil || last != uint64(len(urls)) {
		t.Errorf("INBOX ends at %d, %v", last, err)
	}
}

func opened(ctx context.Context, t *testing.T, c bus.Config) *bus.Bus {
	t.Helper()
	b, err := bus.Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	return b
}
