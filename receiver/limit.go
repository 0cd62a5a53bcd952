package receiver

import (
	"net"
	"sync"
)

// defaultConnections is far more than senders have, and what they cost at rest
// (two goroutines' stacks and buffers, some tens of kilobytes each) is bearable.
const defaultConnections = 4096

// LimitListener returns a listener that holds at most n connections of l open
// at once; 0 means 4096. More wait in the kernel's backlog until one is closed,
// at the latest by the server's idle timeout. The server's other routes share
// the limit: live streams count too.
func LimitListener(l net.Listener, n int) net.Listener {
	if n <= 0 {
		n = defaultConnections
	}
	return &limitListener{Listener: l, open: make(chan struct{}, n), closed: make(chan struct{})}
}

type limitListener struct {
	net.Listener
	// open has an element for each connection, and one while Accept waits.
	open chan struct{}
	// closed lets Accept end while there is no room.
	closed chan struct{}
	once   sync.Once
}

func (l *limitListener) Accept() (net.Conn, error) {
	select {
	case l.open <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.open
		// Not wrapped: net/http looks for net.Error, and callers compare.
		return nil, err
	}
	return &limitedConn{Conn: conn, leave: sync.OnceFunc(func() { <-l.open })}, nil
}

func (l *limitListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	leave func()
}

// Close may be called more than once; the place is given back once.
func (c *limitedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
