package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// askAgain is when a question by UDP counts as lost.
	askAgain = time.Second
	// maxReply is what a reply by UDP may have, in bytes, of one who does not say that
	// he takes more (RFC 1035, section 4.2.1).
	maxReply = 512
)

var errNoRecord = errors.New("there is no such record")

// alias asks the server for the CNAME record itself. net.Resolver does not: of a chain
// of aliases it gives the first or the last, whichever answer is there first.
func (p *Probe) alias(ctx context.Context, server, name string) (_ string, err error) {
	conn, err := p.dialer.DialContext(ctx, "udp", server)
	if err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer func() {
		if stop() {
			_ = conn.Close() // nothing was sent that could be lost
		}
		if ctx.Err() != nil {
			err = errNoAnswer
		}
	}()
	asked, err := dnsmessage.NewName(name)
	if err != nil {
		return "", fmt.Errorf("name: %w", err)
	}
	var id [2]byte
	if _, err := io.ReadFull(p.random, id[:]); err != nil {
		return "", fmt.Errorf("a random id: %w", err)
	}
	question := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: binary.BigEndian.Uint16(id[:]), RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: asked, Type: dnsmessage.TypeCNAME, Class: dnsmessage.ClassINET}},
	}
	packet, err := question.Pack()
	if err != nil {
		return "", fmt.Errorf("the question: %w", err)
	}
	for {
		if _, err := conn.Write(packet); err != nil {
			return "", err
		}
		reply, err := read(conn, question)
		if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
			continue
		}
		if err != nil {
			return "", err
		}
		return aliasIn(reply)
	}
}

// read waits for the reply to the question; what else comes is not for it.
func read(conn net.Conn, question dnsmessage.Message) (dnsmessage.Message, error) {
	if err := conn.SetReadDeadline(time.Now().Add(askAgain)); err != nil {
		return dnsmessage.Message{}, err
	}
	asked := question.Questions[0]
	buf := make([]byte, maxReply)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return dnsmessage.Message{}, err
		}
		var reply dnsmessage.Message
		if reply.Unpack(buf[:n]) == nil && reply.ID == question.ID && reply.Response && len(reply.Questions) == 1 &&
			reply.Questions[0].Type == asked.Type && strings.EqualFold(reply.Questions[0].Name.String(), asked.Name.String()) {
			return reply, nil
		}
	}
}

// aliasIn is what the name that was asked for is an alias of.
func aliasIn(reply dnsmessage.Message) (string, error) {
	switch {
	case reply.RCode == dnsmessage.RCodeNameError:
		return "", errNoRecord
	case reply.RCode != dnsmessage.RCodeSuccess:
		return "", fmt.Errorf("the server answers %s", strings.TrimPrefix(reply.RCode.String(), "RCode"))
	}
	for _, r := range reply.Answers {
		if body, ok := r.Body.(*dnsmessage.CNAMEResource); ok && strings.EqualFold(r.Header.Name.String(), reply.Questions[0].Name.String()) {
			return body.CNAME.String(), nil
		}
	}
	if reply.Truncated {
		return "", errors.New("the answer was cut")
	}
	return "", errNoRecord
}
