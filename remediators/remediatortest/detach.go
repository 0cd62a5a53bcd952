package remediatortest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// detach makes a copy of a request that outlives its sender's connection, and
// leaves r to be sent too.
func detach(r *http.Request) (*http.Request, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	late := r.Clone(context.WithoutCancel(r.Context()))
	late.Body = io.NopCloser(bytes.NewReader(body))
	late.ContentLength = int64(len(body))
	return late, nil
}
