package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strconv"
)

const (
	loopback = "127.0.0.1"
	// The ports lie below the ephemeral ranges of Linux and macOS, so that no outgoing connection takes one between
	// its choice here and its use by the server.
	firstPort, portCount = 20000, 10000
	portTries            = 200
)

// freeAddresses returns n different loopback addresses on which nothing listens, by TCP or UDP. Nothing holds them:
// who starts a server on one must cope with losing the race for it.
func freeAddresses(ctx context.Context, n int) (addresses []string, err error) {
	var held []interface{ Close() error }
	defer func() {
		for _, h := range held {
			err = errors.Join(err, h.Close())
		}
	}()
	var listen net.ListenConfig
	for range portTries {
		if len(addresses) == n {
			return addresses, nil
		}
		offset, err := rand.Int(rand.Reader, big.NewInt(portCount))
		if err != nil {
			return nil, fmt.Errorf("choose a port: %w", err)
		}
		address := net.JoinHostPort(loopback, strconv.FormatInt(firstPort+offset.Int64(), 10))
		stream, err := listen.Listen(ctx, "tcp", address)
		if err != nil {
			continue
		}
		held = append(held, stream)
		packet, err := listen.ListenPacket(ctx, "udp", address)
		if err != nil {
			continue
		}
		held = append(held, packet)
		addresses = append(addresses, address)
	}
	return nil, fmt.Errorf("no %d free ports from %d to %d after %d tries", n, firstPort, firstPort+portCount-1, portTries)
}

func splitAddress(address string) (host, port string, err error) {
	if host, port, err = net.SplitHostPort(address); err != nil {
		return "", "", fmt.Errorf("lab: %w", err)
	}
	return host, port, nil
}
