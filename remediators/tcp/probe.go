// Package tcp holds the prober that asks whether somebody listens at an address: it
// connects, may wait for a greeting, and hangs up. It sends nothing. Everything is
// safe for concurrent use; the tests run against local listeners.
package tcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/verify"
	"github.com/tripgen/paramedic/remediators"
)

const (
	kind           = "tcp"
	defaultTimeout = 5 * time.Second
	maxTimeout     = 5 * time.Minute
	// maxGreeting bounds what is read of a greeting, in bytes.
	maxGreeting = 4 << 10
)

// Probe connects to an address.
type Probe struct{ dialer net.Dialer }

// NewProbe makes the prober.
func NewProbe() *Probe { return &Probe{} }

// Spec implements [verify.Prober].
func (*Probe) Spec() verify.Spec {
	return verify.Spec{
		Kind:    kind,
		Summary: "Somebody listens at an address, and greets as expected.",
		Params: json.RawMessage(`{
  "type": "object",
  "additionalProperties": false,
  "required": ["address"],
  "properties": {
    "address": {"type": "string", "minLength": 1, "description": "host:port."},
    "greeting": {"type": "string", "minLength": 1, "description": "Text that the server must send by itself, within its first 4096 bytes, as SMTP and SSH servers do."},
    "timeout": {"type": "string", "default": "5s", "description": "For the connection and the greeting together."}
  }
}`),
	}
}

type params struct {
	Address  string `json:"address"`
	Greeting string `json:"greeting"`
	Timeout  string `json:"timeout"`
}

func parse(raw json.RawMessage) (p params, timeout time.Duration, err error) {
	if err := remediators.DecodeParams(raw, &p); err != nil {
		return p, 0, err
	}
	host, port, err := net.SplitHostPort(p.Address)
	if n, bad := strconv.Atoi(port); err != nil || host == "" || bad != nil || n < 1 || n > 65535 {
		return p, 0, fmt.Errorf("address: %q is no host:port, as cache:6379", p.Address)
	}
	timeout = defaultTimeout
	if p.Timeout != "" {
		if timeout, err = time.ParseDuration(p.Timeout); err != nil || timeout <= 0 || timeout > maxTimeout {
			return p, 0, fmt.Errorf("timeout: %q is no duration above 0 and up to %v", p.Timeout, maxTimeout)
		}
	}
	return p, timeout, nil
}

// Probe implements [verify.Prober]. A server that cannot be reached is not well.
func (p *Probe) Probe(ctx context.Context, _ engine.Target, raw json.RawMessage) (engine.Check, error) {
	check := engine.Check{Kind: kind}
	to, timeout, err := parse(raw)
	if err != nil {
		return check, remediators.Terminal("parameters of tcp: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := p.dialer.DialContext(ctx, "tcp", to.Address)
	if err != nil {
		check.Detail = err.Error()
		return check, nil
	}
	// It is closed early should ctx end while a greeting is waited for.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer func() {
		if stop() {
			_ = conn.Close() // nothing was sent that could be lost
		}
	}()
	if to.Greeting != "" {
		if err := greeted(conn, []byte(to.Greeting)); err != nil {
			check.Detail = fmt.Sprintf("%s: %v", to.Address, err)
			return check, nil
		}
	}
	check.OK, check.Detail = true, to.Address+" is open"
	return check, nil
}

// greeted reads until the text has come.
func greeted(from io.Reader, want []byte) error {
	buf := make([]byte, 0, maxGreeting)
	for len(buf) < cap(buf) {
		n, err := from.Read(buf[len(buf):cap(buf)])
		if buf = buf[:len(buf)+n]; bytes.Contains(buf, want) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is open, but did not greet with %q in time", want)
		}
	}
	return errors.New("it is open, but greets with something else")
}
