package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Servers run as processes of their own, so that they can be killed: this test
// binary, started again with their configuration in the environment.
const serverEnv = "BUS_TEST_SERVER"

type serverConfig struct {
	Name, Dir, Host string
	Port, RoutePort int
	Routes          []string
}

func TestMain(m *testing.M) {
	if v := os.Getenv(serverEnv); v != "" {
		if err := runServer(v); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func runServer(config string) error {
	var c serverConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	o := &server.Options{
		ServerName: c.Name, Host: c.Host, Port: c.Port, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: c.Dir, MaxPayload: maxPayload, MaxPending: 16 * maxPayload,
	}
	if len(c.Routes) > 0 {
		o.Cluster = server.ClusterOpts{Name: "test", Host: c.Host, Port: c.RoutePort}
		for _, r := range c.Routes {
			u, err := url.Parse(r)
			if err != nil {
				return err
			}
			o.Routes = append(o.Routes, u)
		}
	}
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	s.Start()
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends, however it does
	s.Shutdown()
	return nil
}

// node is one server process.
type node struct {
	t    testing.TB
	c    serverConfig
	addr string
	cmd  *exec.Cmd
	in   io.Closer
}

// startServers runs n servers, as a cluster if there are several, and waits
// until they serve JetStream.
func startServers(t testing.TB, n int) []*node {
	t.Helper()
	ports := freePorts(t, 2*n)
	var routes []string
	if n > 1 {
		for i := range n {
			routes = append(routes, fmt.Sprintf("nats://127.0.0.1:%d", ports[n+i]))
		}
	}
	var nodes []*node
	for i := range n {
		nd := &node{t: t, addr: fmt.Sprintf("127.0.0.1:%d", ports[i]), c: serverConfig{
			Name: fmt.Sprintf("n%d", i+1), Dir: t.TempDir(), Host: "127.0.0.1",
			Port: ports[i], RoutePort: ports[n+i], Routes: routes,
		}}
		nd.start()
		t.Cleanup(nd.kill)
		nodes = append(nodes, nd)
	}
	for _, nd := range nodes {
		nd.awaitPort()
	}
	return nodes
}

func (n *node) start() {
	n.t.Helper()
	config, err := json.Marshal(n.c)
	if err != nil {
		n.t.Fatal(err)
	}
	n.cmd = exec.CommandContext(context.WithoutCancel(n.t.Context()), os.Args[0])
	n.cmd.Env = append(os.Environ(), serverEnv+"="+string(config))
	n.cmd.Stderr = n.t.Output()
	if n.in, err = n.cmd.StdinPipe(); err != nil {
		n.t.Fatal(err)
	}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
}

// kill ends the process at whatever instruction it is.
func (n *node) kill() {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
	_ = n.in.Close()
	n.cmd = nil
}

func (n *node) awaitPort() {
	n.t.Helper()
	poll(n.t, "server "+n.c.Name+" to listen", func() bool {
		d := net.Dialer{Timeout: time.Second}
		c, err := d.DialContext(n.t.Context(), "tcp", n.addr)
		if err != nil {
			return false
		}
		_ = c.Close()
		return true
	})
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	var held []net.Listener // until the end, lest a port come twice
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for range n {
		var lc net.ListenConfig
		l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, l)
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			t.Fatalf("listens on %v: want a TCP address", l.Addr())
		}
		ports = append(ports, addr.Port)
	}
	return ports
}

// poll waits for a condition that gives no signal.
func poll(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(60 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited a minute for %s", what)
		}
	}
}

func clusterURL(nodes []*node) string {
	var addrs []string
	for _, n := range nodes {
		addrs = append(addrs, "nats://"+n.addr)
	}
	return strings.Join(addrs, ",")
}
