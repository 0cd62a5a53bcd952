package remark_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tripgen/paramedic/receiver/remark"
)

func TestWhatIsToldIsShort(t *testing.T) {
	t.Parallel()
	if got := remark.Clip("short"); got != "short" {
		t.Errorf("a short text becomes %q", got)
	}
	for pad := range 4 {
		got := remark.Clip(strings.Repeat("x", pad) + strings.Repeat("世", 40))
		if len(got) > 64+len("...") || !strings.HasSuffix(got, "...") || !utf8.ValidString(got) {
			t.Errorf("a long text becomes %q", got)
		}
	}
	if got := remark.Line(errors.New("one\n two\x80")); got != "one two?" {
		t.Errorf("a message of two lines becomes %q", got)
	}
}

func TestWarningsAreBounded(t *testing.T) {
	t.Parallel()
	var w remark.Warnings
	for i := range 20 {
		w.Addf("%d", i)
	}
	if got := w.All(); len(got) != 20 || got[19] != "19" {
		t.Errorf("20 warnings become %q", got)
	}
	w.Addf("one more")
	w.Addf("and another")
	if got := w.All(); len(got) != 21 || got[20] != "and 2 more warnings" {
		t.Errorf("22 warnings become %q", got)
	}
}
