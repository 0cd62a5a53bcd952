package web_test

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/internal/web/api"
	"github.com/tripgen/paramedic/internal/web/webtest"
)

func TestTheLedgerIsSentByteForByte(t *testing.T) {
	t.Parallel()
	w := webtest.Start(t)
	for n := range 20 {
		cure(w, fmt.Sprintf("s%d", n))
	}
	last, err := w.Bus.LedgerLast(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	whole := want(t, get(t, w.URL+"/api/v1/ledger"), 200)
	if first := whole.header.Get(api.HeaderLedgerFirst); first != "1" {
		t.Errorf("first %q", first)
	}
	if end := whole.header.Get(api.HeaderLedgerLast); end != strconv.FormatUint(last, 10) {
		t.Errorf("last %q, want %d", end, last)
	}
	lines := bytes.Split(bytes.TrimSuffix(whole.body, []byte("\n")), []byte("\n"))
	if uint64(len(lines)) != last {
		t.Fatalf("%d lines of %d records", len(lines), last)
	}
	fold := ledger.NewFold()
	for i, line := range lines {
		seq := uint64(i) + 1
		m, err := w.Bus.LedgerAt(t.Context(), seq)
		if err != nil || !bytes.Equal(m.Data, line) {
			t.Fatalf("record %d: sent\n%s\nstored\n%s\n%v", seq, line, m.Data, err)
		}
		if _, err := fold.Take(seq, line); err != nil {
			t.Fatal(err)
		}
	}
	some := want(t, get(t, w.URL+fmt.Sprintf("/api/v1/ledger?from=%d", last)), 200)
	if first := some.header.Get(api.HeaderLedgerFirst); first != strconv.FormatUint(last, 10) || !bytes.Equal(some.body, append(lines[last-1], '\n')) {
		t.Errorf("from %s: %s", first, some.body)
	}
	if none := want(t, get(t, w.URL+fmt.Sprintf("/api/v1/ledger?from=%d", last+1)), 200); len(none.body) != 0 {
		t.Errorf("after the end: %s", none.body)
	}
	for _, from := range []string{"0", "-1", "x", strconv.FormatUint(last+2, 10), "99999999999999999999"} {
		want(t, get(t, w.URL+"/api/v1/ledger?from="+from), 400).problem(t)
	}
}
