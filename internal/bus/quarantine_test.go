package bus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func quarantine(t testing.TB, b *Bus, source, id string, body []byte) uint64 {
	t.Helper()
	seq, err := b.PublishQuarantine(testContext(t), source, id, map[string]string{"X-Id": id}, body)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

func listQuarantine(t testing.TB, b *Bus, f QuarantineFilter) []QuarantineEntry {
	t.Helper()
	if f.Limit == 0 {
		f.Limit = 1000
	}
	list, err := b.QuarantineList(testContext(t), f)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func ids(list []QuarantineEntry) string {
	var all []string
	for _, e := range list {
		all = append(all, e.ID)
	}
	return strings.Join(all, " ")
}

// large is a body of several messages, none of them like another.
func large(b *Bus) []byte {
	body := bytes.Repeat([]byte("."), 2*b.MaxMessage()+8)
	for at := 0; at < len(body); at += 4 << 10 {
		copy(body[at:], fmt.Sprintf("%08d", at))
	}
	return body
}

func TestQuarantineKeepsABodyAsItCame(t *testing.T) {
	ctx := testContext(t)
	c := Config{Dir: t.TempDir(), MaxStore: 2 << 30}
	b := openIn(t, c)
	headers := map[string]string{"Content-Type": "application/json", "X-Odd": "a\r\nNats-Msg-Id: forged"}
	given := maps.Clone(headers)
	bodies := map[string][]byte{"q-empty": {}, "q-1": []byte("{\x00\xff"), "q-large": large(b)}
	before := time.Now().Add(-time.Second)
	for _, id := range slices.Sorted(maps.Keys(bodies)) {
		if _, err := b.PublishQuarantine(ctx, "am", id, headers, bodies[id]); err != nil {
			t.Fatal(err)
		}
	}
	if !maps.Equal(headers, given) {
		t.Errorf("the caller's headers became %v", headers)
	}
	closeBus(t, b)
	b = openIn(t, c)
	list := listQuarantine(t, b, QuarantineFilter{})
	if ids(list) != "q-1 q-empty q-large" {
		t.Fatalf("after a restart there are %s", ids(list))
	}
	for i, e := range list {
		body, err := b.QuarantineBody(ctx, e)
		if err != nil || !bytes.Equal(body, bodies[e.ID]) {
			t.Errorf("%s: %d bytes of %d, %v", e.ID, len(body), len(bodies[e.ID]), err)
		}
		if e.Source != "am" || !maps.Equal(e.Headers, given) || e.Size != len(bodies[e.ID]) || e.Stored.Before(before) ||
			e.Seq != uint64(i)+1 || e.Parts != []int{1, 1, 5}[i] {
			t.Errorf("%+v", e)
		}
	}
	for _, id := range []string{"", "a.0", "with space"} {
		if _, err := b.PublishQuarantine(ctx, "am", id, nil, nil); err == nil {
			t.Errorf("id %q: accepted", id)
		}
	}
	if _, err := b.PublishQuarantine(ctx, "am", "q-2", map[string]string{"X": string(make([]byte, headerReserve))}, nil); !errors.Is(err, ErrTooLarge) {
		t.Errorf("large headers: %v", err)
	}
}

func TestQuarantineIsListedInPages(t *testing.T) {
	b := openEmbedded(t)
	if list := listQuarantine(t, b, QuarantineFilter{}); list != nil {
		t.Errorf("an empty one has %v", list)
	}
	var all, evens []string
	for i := range 40 {
		id, source := fmt.Sprintf("e%02d", i), []string{"even", "odd"}[i%2]
		quarantine(t, b, source, id, []byte(id))
		if i%10 == 9 { // gaps
			gone, err := b.QuarantineFind(testContext(t), id)
			if err != nil || len(gone) != 1 {
				t.Fatal(gone, err)
			}
			if err := b.DeleteQuarantine(testContext(t), gone[0]); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if all = append(all, id); i%2 == 0 {
			evens = append(evens, id)
		}
	}
	for _, c := range []struct {
		source string
		newest bool
		want   []string
	}{{"", false, all}, {"even", false, evens}, {"", true, all}, {"even", true, evens}, {"none", true, nil}, {"eve", false, nil}} {
		want := slices.Clone(c.want)
		if c.newest {
			slices.Reverse(want)
		}
		for _, limit := range []int{1, 3, 7, 100} {
			var got []string
			f := QuarantineFilter{Source: c.source, Newest: c.newest, Limit: limit}
			for {
				page := listQuarantine(t, b, f)
				if len(page) > limit {
					t.Fatalf("%+v: %d entries", f, len(page))
				}
				if len(page) == 0 {
					break
				}
				got = append(got, strings.Fields(ids(page))...)
				f.After = page[len(page)-1].Seq
			}
			if !slices.Equal(got, want) {
				t.Errorf("%+v in pages of %d: %v, want %v", c, limit, got, want)
			}
		}
	}
	for _, f := range []QuarantineFilter{{}, {Limit: -1}, {Limit: 1, Source: "a.*"}, {Limit: 1, Source: ">"}} {
		if _, err := b.QuarantineList(testContext(t), f); err == nil {
			t.Errorf("%+v: no error", f)
		}
	}
}

// What is deleted is exactly what was named, down to the messages of a body
// between whose parts others came.
func TestQuarantineDeletesExactly(t *testing.T) {
	ctx := testContext(t)
	c := Config{Dir: t.TempDir(), MaxStore: 4 << 30}
	b := openIn(t, c)
	body := large(b)
	quarantine(t, b, "am", "before", []byte("before"))
	quarantine(t, b, "am", "large", body)
	quarantine(t, b, "am", "large-2", body)
	quarantine(t, b, "other", "behind", []byte("behind"))
	found, err := b.QuarantineFind(ctx, "behind", "large", "missing", "larg", "large.0")
	if err != nil || ids(found) != "large behind" {
		t.Fatalf("found %s, %v", ids(found), err)
	}
	for _, e := range found {
		for range 2 { // a second time is no error
			if err := b.DeleteQuarantine(ctx, e); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.QuarantineBody(ctx, e); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s is gone: %v", e.ID, err)
		}
	}
	closeBus(t, b)
	b = openIn(t, c)
	left := listQuarantine(t, b, QuarantineFilter{})
	if ids(left) != "before large-2" {
		t.Fatalf("left %s", ids(left))
	}
	if got, err := b.QuarantineBody(ctx, left[1]); err != nil || !bytes.Equal(got, body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if s, err := b.QuarantineState(ctx); err != nil || s.Messages["am"] != 6 || s.Messages["other"] != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// A body of which the end is missing was promised to nobody: it is listed, so that
// it can be dropped, and never taken for whole.
func TestHalfABodyInQuarantine(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	quarantine(t, b, "am", "half", large(b))
	e := listQuarantine(t, b, QuarantineFilter{})[0]
	if err := b.streams[StreamQuarantine].DeleteMsg(ctx, e.Seq+2); err != nil {
		t.Fatal(err)
	}
	list := listQuarantine(t, b, QuarantineFilter{})
	if ids(list) != "half" {
		t.Fatalf("listed %s", ids(list))
	}
	if _, err := b.QuarantineBody(ctx, list[0]); !errors.Is(err, ErrIncomplete) {
		t.Errorf("read: %v", err)
	}
	if err := b.DeleteQuarantine(ctx, list[0]); err != nil {
		t.Fatal(err)
	}
	if s, err := b.QuarantineState(ctx); err != nil || len(s.Messages) != 0 || s.Age != 0 {
		t.Errorf("left %+v, %v", s, err)
	}
}

// shortLived is a context that ends after it was asked so often.
type shortLived struct {
	context.Context
	left int
}

func (c *shortLived) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// A removal that breaks off leaves a body that is still listed, and that a second
// removal ends.
func TestARemovalThatBreaksOff(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	quarantine(t, b, "am", "large", large(b))
	e := listQuarantine(t, b, QuarantineFilter{})[0]
	seqs, err := b.partsOf(ctx, e)
	if err != nil || !slices.Equal(seqs, []uint64{1, 2, 3, 4, 5}) {
		t.Fatal(seqs, err)
	}
	if err := b.deleteQuarantined(&shortLived{ctx, 2}, seqs); !errors.Is(err, context.Canceled) {
		t.Fatalf("did not break off: %v", err)
	}
	if s, err := b.QuarantineState(ctx); err != nil || s.Messages["am"] != 3 {
		t.Fatalf("%+v, %v", s, err)
	}
	list := listQuarantine(t, b, QuarantineFilter{})
	if ids(list) != "large" {
		t.Fatalf("listed %q", ids(list))
	}
	if _, err := b.QuarantineBody(ctx, list[0]); !errors.Is(err, ErrIncomplete) {
		t.Errorf("read: %v", err)
	}
	if err := b.DeleteQuarantine(ctx, list[0]); err != nil {
		t.Fatal(err)
	}
	if list := listQuarantine(t, b, QuarantineFilter{}); len(list) != 0 {
		t.Errorf("left %+v", list)
	}
}

// What has no room is refused, not stored in part, and does not drive out what is
// there; deleting makes room.
func TestAFullQuarantine(t *testing.T) {
	ctx := testContext(t)
	b := openIn(t, Config{Dir: t.TempDir(), MaxStore: 512 << 20}) // of which 5% are the quarantine's
	quarantine(t, b, "am", "first", make([]byte, 3<<20))
	body := large(b)
	n := 0
	var err error
	for ; err == nil; n++ {
		_, err = b.PublishQuarantine(ctx, "am", fmt.Sprintf("large-%d", n), nil, body)
	}
	if !errors.Is(err, ErrFull) {
		t.Fatal(err)
	}
	list := listQuarantine(t, b, QuarantineFilter{})
	if len(list) != n { // the first, and all but the last one
		t.Fatalf("%d entries of %d: %s", len(list), n, ids(list))
	}
	s, err := b.QuarantineState(ctx)
	if err != nil || s.Messages["am"] != uint64(5*(n-1)+1) || s.Bytes > s.Limit {
		t.Errorf("%+v, %v", s, err)
	}
	for _, e := range list {
		if got, err := b.QuarantineBody(ctx, e); err != nil || len(got) != e.Size {
			t.Errorf("%s: %d bytes of %d, %v", e.ID, len(got), e.Size, err)
		}
	}
	if err := b.DeleteQuarantine(ctx, list[len(list)-1]); err != nil {
		t.Fatal(err)
	}
	quarantine(t, b, "am", "again", body)
}

// What is deleted while it is due in a scan is not waited for.
func TestAScanEndsThoughItsEndIsDeleted(t *testing.T) {
	ctx, b := testContext(t), openEmbedded(t)
	const n = readBatch + 20
	for i := range n {
		quarantine(t, b, "am", fmt.Sprintf("q-%d", i), nil)
	}
	seen := 0
	began := time.Now()
	err := b.scan(ctx, "quarantine.>", 1, n, func(Msg) bool {
		if seen++; seen == 1 {
			for seq := uint64(n); seq > readBatch; seq-- {
				if err := b.deleteQuarantined(ctx, []uint64{seq}); err != nil {
					t.Error(err)
				}
			}
		}
		return true
	})
	if took := time.Since(began); err != nil || seen != readBatch || took > 30*time.Second {
		t.Errorf("%d messages in %s, %v", seen, took, err)
	}
}

func TestTheQuarantineIsSeen(t *testing.T) {
	b := openEmbedded(t)
	reg := prometheus.NewRegistry()
	if err := reg.Register(b.QuarantineCollector()); err != nil {
		t.Fatal(err)
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP paramedic_quarantine_oldest_age_seconds Age of the oldest body in quarantine; 0 without any. They are kept for 90 days.
# TYPE paramedic_quarantine_oldest_age_seconds gauge
paramedic_quarantine_oldest_age_seconds 0
`), "paramedic_quarantine_oldest_age_seconds", "paramedic_quarantine_messages"); err != nil {
		t.Error(err)
	}
	quarantine(t, b, "am", "one", []byte("1"))
	quarantine(t, b, "am", "two", []byte("2"))
	quarantine(t, b, "azure", "three", []byte("3"))
	if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP paramedic_quarantine_messages Bodies that lie in quarantine; one that is larger than a message counts several times.
# TYPE paramedic_quarantine_messages gauge
paramedic_quarantine_messages{source="am"} 2
paramedic_quarantine_messages{source="azure"} 1
`), "paramedic_quarantine_messages"); err != nil {
		t.Error(err)
	}
	s, err := b.QuarantineState(testContext(t))
	if err != nil || s.Age <= 0 || s.Age > time.Minute || s.Bytes == 0 || s.Limit == 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	closeBus(t, b)
	if n, err := testutil.GatherAndCount(reg); err != nil || n != 0 {
		t.Errorf("without a bus there are %d series, %v", n, err)
	}
}
