package receiver_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/tripgen/paramedic/receiver"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// Behind the limit a connection waits; it is served once another one has gone,
// and not before.
func TestConnectionsAreLimited(t *testing.T) {
	t.Parallel()
	l := receiver.LimitListener(listen(t), 2)
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }),
		ReadHeaderTimeout: time.Minute,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	get := "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	answered := func(c net.Conn, within time.Duration) error {
		if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
			return err
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return err
		}
		return res.Body.Close()
	}
	url := "http://" + l.Addr().String()
	first, second := dial(t, url, get), dial(t, url, get)
	for _, c := range []net.Conn{first, second} {
		if err := answered(c, 20*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	third := dial(t, url, get)
	if err := answered(third, 50*time.Millisecond); err == nil {
		t.Error("a third was served beside two")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := answered(third, 20*time.Second); err != nil {
		t.Errorf("the third, after the first had gone: %v", err)
	}
	// Full again: closing must not wait for room.
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

func TestLimitListenerEnds(t *testing.T) {
	t.Parallel()
	inner := listen(t)
	l := receiver.LimitListener(inner, 1)
	dial(t, "http://"+l.Addr().String(), "")
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept on a full, closed listener: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if err := conn.Close(); err == nil {
		t.Error("the second Close of a connection says nothing")
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept on an empty, closed listener: %v", err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("the connection is open: %v", err)
	}
}

// An Accept that failed keeps no place.
func TestAcceptErrorsKeepNoPlace(t *testing.T) {
	t.Parallel()
	l := receiver.LimitListener(&failing{listen(t)}, 1)
	for range 3 {
		if _, err := l.Accept(); !errors.Is(err, errAccept) {
			t.Fatalf("got %v", err)
		}
	}
}

var errAccept = errors.New("too many open files")

type failing struct{ net.Listener }

func (*failing) Accept() (net.Conn, error) { return nil, errAccept }
