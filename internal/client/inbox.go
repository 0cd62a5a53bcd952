package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tripgen/paramedic/internal/web/api"
)

// Inbox calls take with every input that the server still has recorded, from a
// sequence (1 for all) up to its present end, in order.
func (c *Client) Inbox(ctx context.Context, from uint64, take func(api.RecordedInput) error) error {
	resp, err := c.request(ctx, http.MethodGet, "inbox", url.Values{"from": {strconv.FormatUint(from, 10)}}, nil, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it is read to its end, or not wanted
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 64<<10), mostLine)
	next := from
	for lines.Scan() {
		var in api.RecordedInput
		if err := json.Unmarshal(lines.Bytes(), &in); err != nil {
			return fmt.Errorf("the recorded input behind %d cannot be read: %w", next, err)
		}
		if in.Sequence < next {
			return fmt.Errorf("the server sends recorded input %d behind %d", in.Sequence, next)
		}
		next = in.Sequence
		if err := take(in); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the recorded inputs break off behind %d: %w", next, err)
	}
	return nil
}
