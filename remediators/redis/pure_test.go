package redis

import (
	"math"
	"path"
	"strings"
	"testing"
	"time"
)

func TestNewInstance(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]Config{
		"exactly one": {}, "not 2": {Address: "h:1", Cluster: []string{"h:1"}}, "no host:port": {Address: "h"}, `":1"`: {Address: ":1"},
		"in a cluster": {Cluster: []string{"h:1"}, DB: 1}, "database -1": {Address: "h:1", DB: -1},
		"go together": {Address: "h:1", TLS: &TLS{Cert: "c"}}, "sentinel": {Sentinel: &Sentinel{Addresses: []string{"h:1"}}},
	} {
		if _, err := NewInstance(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
}

func TestAmount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "none", 1: "fewer than ten", 9: "fewer than ten", 10: "tens", 99: "tens", 999: "hundreds", 1000: "thousands", 99_999: "tens of thousands",
		999_999: "hundreds of thousands", 1_000_000: "millions or more", math.MaxInt64: "millions or more",
	} {
		if got := amount(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// FuzzSelective holds that a pattern which matches keys that have nothing in common is
// never taken for one that names some. Package path has the same wildcards.
func FuzzSelective(f *testing.F) {
	for _, pattern := range []string{"*", "", "a*", "[a-z]*", `\`, `\*`, "[", "?*?", "[^x]*", "[]]x"} {
		f.Add(pattern)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		if !selective(pattern) {
			return
		}
		for _, others := range [][2]string{{"aaaa", "zzzz"}, {"0", "~"}, {"place:1", "QQQQQQQ"}} {
			first, err := path.Match(pattern, others[0])
			second, err2 := path.Match(pattern, others[1])
			if err == nil && err2 == nil && first && second {
				t.Errorf("%q matches %q", pattern, others)
			}
		}
	})
}

// FuzzEnd holds that no end is ever moved the other way, beyond max, or into the past.
func FuzzEnd(f *testing.F) {
	f.Add(int64(1000), int64(5000), 1.5, int64(60_000))
	f.Add(int64(1000), int64(1001), 0.1, int64(1))
	f.Fuzz(func(t *testing.T, now, at int64, factor float64, most int64) {
		if now < 0 || now > 1<<45 || at < -2 || at > 1<<46 || !(factor > 0 && factor <= maxFactor) || factor == 1 || most < 1000 || most > maxLife.Milliseconds() {
			return
		}
		p := ttlParams{Factor: factor, max: time.Duration(most) * time.Millisecond}
		to, ok := p.end(at, now)
		switch {
		case !ok:
		case at <= now:
			t.Errorf("what has ended, or has no end, ends at %d", to)
		case to <= now:
			t.Errorf("%d of %d is in the past", to, at)
		case factor > 1 && (to <= at || to > now+most):
			t.Errorf("extended from %d to %d, at most %d", at, to, now+most)
		case factor < 1 && to >= at:
			t.Errorf("shortened from %d to %d", at, to)
		}
	})
}
