package client

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tripgen/paramedic/internal/web/api"
)

// Ledger calls take with every record of the ledger from a sequence (1 for all)
// up to its present end, byte for byte as it is stored. It is an error if fewer
// arrive than the server announced. data is good until take returns.
func (c *Client) Ledger(ctx context.Context, from uint64, take func(seq uint64, data []byte) error) error {
	resp, err := c.request(ctx, http.MethodGet, "ledger", url.Values{"from": {strconv.FormatUint(from, 10)}}, nil, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it is read to its end, or not wanted
	first, err := sequence(resp.Header, api.HeaderLedgerFirst)
	if err != nil {
		return err
	}
	last, err := sequence(resp.Header, api.HeaderLedgerLast)
	if err != nil {
		return err
	}
	if first != from {
		return fmt.Errorf("the server sends the ledger from %d, asked for was %d", first, from)
	}
	next, err := Records(resp.Body, first, take)
	if err != nil {
		return err
	}
	if next != last+1 {
		return fmt.Errorf("the ledger ends with record %d, announced were records up to %d", next-1, last)
	}
	return nil
}

func sequence(h http.Header, name string) (uint64, error) {
	n, err := strconv.ParseUint(h.Get(name), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the answer's header %s: %w", name, err)
	}
	return n, nil
}

// Records calls take with every line of an exported ledger whose first record
// has the sequence first, and returns the sequence after the last. Lines are cut
// at line feeds and not touched otherwise. data is good until take returns.
func Records(r io.Reader, first uint64, take func(seq uint64, data []byte) error) (next uint64, err error) {
	next = first
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), mostLine)
	lines.Split(wholeLines)
	for lines.Scan() {
		if err := take(next, lines.Bytes()); err != nil {
			return next, err
		}
		next++
	}
	if err := lines.Err(); err != nil {
		return next, fmt.Errorf("the ledger breaks off before record %d: %w", next, err)
	}
	return next, nil
}

// wholeLines is bufio.ScanLines without its removal of carriage returns: the
// chain is over every byte.
func wholeLines(data []byte, atEOF bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}
