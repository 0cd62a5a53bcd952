package receiver_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/receiver"
)

// behindProxy makes the rig's own address a proxy, so that a request can come
// from anywhere.
func behindProxy(o *receiver.Options) {
	o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

func TestGuessesAreBraked(t *testing.T) {
	t.Parallel()
	c := &clock{}
	r := start(t, newShelf(), func(o *receiver.Options) {
		behindProxy(o)
		o.Now = c.now
	})
	attempt := func(from, with string, want int) answer {
		t.Helper()
		got := r.post(t, "am", body(1, ""), "Authorization", "Bearer "+with, "X-Forwarded-For", from)
		if got.status != want {
			t.Fatalf("from %s with %s: %d %s, want %d", from, with, got.status, got.body, want)
		}
		return got
	}
	for range 30 {
		attempt("203.0.113.9", "hunter2", 401)
	}
	// Not even the right one is looked at: its answer would tell that it is.
	for range 5 {
		if p := attempt("203.0.113.9", token, 503).problem(t); p["type"] != "https://paramedic.dev/problems/too-many-failures" {
			t.Errorf("answered %v", p)
		}
	}
	attempt("203.0.113.10", token, 202)
	// What needs no credential cannot be guessed.
	if got := r.post(t, "open", body(1, ""), "X-Forwarded-For", "203.0.113.9"); got.status != 202 {
		t.Errorf("an open source: %d", got.status)
	}
	c.advance(2 * time.Second)
	attempt("203.0.113.9", "hunter2", 401)
	attempt("203.0.113.9", "hunter2", 503)
	c.advance(2 * time.Second)
	attempt("203.0.113.9", token, 202)
	attempt("203.0.113.9", token, 202)
	r.refused(t, "am", "unauthenticated", 31)
	r.refused(t, "am", "too-many-failures", 6)
	if n := strings.Count(r.log.String(), "too-many-failures"); n != 1 {
		t.Errorf("logged %d times, want once a minute", n)
	}
	c.advance(time.Hour)
	for range 30 {
		attempt("203.0.113.9", "hunter2", 401)
	}
	attempt("203.0.113.9", "hunter2", 503)
	if log := r.log.String(); strings.Count(log, "too-many-failures") != 2 || !strings.Contains(log, "5 more since the last time") {
		t.Errorf("the log does not say how many: %s", log)
	}
}

func TestGuessesOfOneNetworkAreOne(t *testing.T) {
	t.Parallel()
	c := &clock{}
	r := start(t, newShelf(), func(o *receiver.Options) {
		behindProxy(o)
		o.Now, o.FailureBurst, o.FailureEvery = c.now, 2, time.Minute
	})
	attempt := func(from, with string, want int) {
		t.Helper()
		if got := r.post(t, "am", body(1, ""), "Authorization", "Bearer "+with, "X-Forwarded-For", from); got.status != want {
			t.Errorf("from %s: %d %s, want %d", from, got.status, got.body, want)
		}
	}
	attempt("2001:db8:0:1::1", "x", 401)
	attempt("2001:db8:0:1:ffff::2", "x", 401)
	attempt("2001:db8:0:1::3", token, 503)
	attempt("2001:db8:0:2::1", token, 202)
	c.advance(59 * time.Second)
	attempt("2001:db8:0:1::3", token, 503)
	c.advance(time.Second)
	attempt("2001:db8:0:1::3", token, 202)
	// A header from elsewhere does not make one somebody else.
	direct := start(t, newShelf(), func(o *receiver.Options) { o.FailureBurst = 1 })
	for i, want := range []int{401, 503, 503} {
		from := netip.AddrFrom4([4]byte{203, 0, 113, byte(i)})
		if got := direct.post(t, "am", "", "Authorization", "Bearer x", "X-Forwarded-For", from.String()); got.status != want {
			t.Errorf("%d: %d, want %d", i, got.status, want)
		}
	}
	if strings.Contains(direct.log.String(), "203.0.113") || !strings.Contains(direct.log.String(), `"remote":"127.0.0.1"`) {
		t.Errorf("log %s", direct.log)
	}
}

func TestAllowedNetworks(t *testing.T) {
	t.Parallel()
	r := start(t, newShelf(), func(o *receiver.Options) {
		behindProxy(o)
		o.Sources[0].Allow = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	})
	for _, c := range []struct {
		name, forwarded, with string
		want                  int
		problem               string
	}{
		{"from there", "203.0.113.9", token, 202, ""},
		{"from there, version 6", "2001:db8::1", token, 202, ""},
		{"mapped", "::ffff:203.0.113.9", token, 202, ""},
		{"from elsewhere", "198.51.100.7", token, 403, "address-not-allowed"},
		{"from elsewhere, with a lie", "203.0.113.9, 198.51.100.7", token, 403, "address-not-allowed"},
		{"from elsewhere, and a wrong token", "198.51.100.7", "x", 403, "address-not-allowed"},
		{"from there, and a wrong token", "203.0.113.9", "x", 401, "unauthenticated"},
		{"nobody knows", "unknown", token, 403, "address-not-allowed"},
		{"empty", " ", token, 403, "address-not-allowed"},
		{"the proxy itself", "", token, 403, "address-not-allowed"},
	} {
		got := r.post(t, "am", body(1, ""), "Authorization", "Bearer "+c.with, "X-Forwarded-For", c.forwarded)
		if got.status != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, got.status, got.body, c.want)
		}
		if c.want != 202 && got.problem(t)["type"] != "https://paramedic.dev/problems/"+c.problem {
			t.Errorf("%s: %s", c.name, got.body)
		}
		if c.want == 403 && got.header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: no credential would help", c.name)
		}
	}
	r.refused(t, "am", "address-not-allowed", 6)
	log := r.log.String()
	if !strings.Contains(log, `"remote":"198.51.100.7"`) || !strings.Contains(log, `\"unknown\" is no address`) {
		t.Errorf("the log does not say from where: %s", log)
	}
	// Not even if the proxy may: it does not say who it was.
	near := start(t, newShelf(), func(o *receiver.Options) {
		behindProxy(o)
		o.Sources[0].Allow = o.TrustedProxies
	})
	for forwarded, want := range map[string]int{"": 202, "127.0.0.9": 202, "unknown": 403, "unknown, 127.0.0.9": 403} {
		if got := near.post(t, "am", body(1, ""), "X-Forwarded-For", forwarded); got.status != want {
			t.Errorf("%q: %d, want %d", forwarded, got.status, want)
		}
	}
	// What an address may not do does not count as guessing.
	for range 40 {
		r.post(t, "am", "", "X-Forwarded-For", "198.51.100.7")
	}
	r.refused(t, "am", "too-many-failures", 0)
	// Where any address will do, one that cannot be told will do too.
	if got := r.post(t, "open", body(1, ""), "X-Forwarded-For", "unknown"); got.status != 202 {
		t.Errorf("a source for all: %d", got.status)
	}
}

func TestNetworksThatMatchNothing(t *testing.T) {
	t.Parallel()
	for _, n := range []netip.Prefix{{}, netip.MustParsePrefix("::ffff:10.0.0.0/104")} {
		for where, change := range map[string]func(*receiver.Options){
			"Allow":          func(o *receiver.Options) { o.Sources[0].Allow = []netip.Prefix{n} },
			"TrustedProxies": func(o *receiver.Options) { o.TrustedProxies = []netip.Prefix{n} },
		} {
			o := options(newShelf(), &syncBuffer{}, nil)
			change(&o)
			if _, err := receiver.New(o); err == nil {
				t.Errorf("%s %s is accepted", where, n)
			}
		}
	}
}
