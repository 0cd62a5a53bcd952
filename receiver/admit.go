package receiver

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// unprovenShare is the part of the memory that requests may hold whose signature
// is not checked yet: without it, whoever knows no secret could hold all.
const unprovenShare = 4

// unprovenMemory is at least enough to read a body of the largest size.
func unprovenMemory(o Options) int64 {
	return max(o.MaxInFlight/unprovenShare, requestOverhead+2*int64(o.MaxBody)+firstBuffer)
}

// admit judges a request by its headers. It passes, or its body has to be seen.
func (rx *Receiver) admit(r *http.Request, src *source) (verdict, *refusal) {
	if src == nil {
		return verdict{}, refuse(http.StatusNotFound, reasonNotFound, "no source of this name is configured")
	}
	from, err := clientAddress(r, rx.proxies)
	if len(src.Allow) > 0 && (err != nil || !within(src.Allow, from)) {
		f := refuse(http.StatusForbidden, reasonAddress, "this source takes nothing from your address")
		f.cause = err
		return verdict{}, f
	}
	if !slices.Contains(src.methods, r.Method) {
		f := refuse(http.StatusMethodNotAllowed, reasonMethod, "send with %s", strings.Join(src.methods, " or "))
		f.header = [2]string{"Allow", strings.Join(src.methods, ", ")}
		return verdict{}, f
	}
	if refused := rx.brake(src, from); refused != nil {
		return verdict{}, refused
	}
	v := judgeHeaders(r, src.Auth)
	if !v.passed && len(v.pending) == 0 {
		return verdict{}, v.refusal(src.Auth)
	}
	return v, checkMedia(r.Header, src.traits.MediaTypes)
}

// brake refuses an address whose attempts have failed too often, whatever it has
// to show. With 503, as honest senders behind the same address then come again.
func (rx *Receiver) brake(src *source, from netip.Addr) *refusal {
	if src.open {
		return nil
	}
	yes, tell, silent := rx.failures.tooMany(from, rx.now())
	if !yes {
		return nil
	}
	f := doubt(reasonFailures, nil, "too many attempts from your address have failed; send again later")
	f.quiet = !tell
	if silent > 0 {
		f.cause = fmt.Errorf("of this address, %d more since the last time", silent)
	}
	return f
}

// prove judges a request by its body too, if its headers were not enough. The
// claim is on what it has shown.
func (rx *Receiver) prove(r *http.Request, src *source, v *verdict, body []byte, share *hold) (claim, *refusal) {
	if v.passed {
		return claim{}, nil
	}
	once := v.judgeBody(r, body)
	if !v.passed {
		return claim{}, v.refusal(src.Auth)
	}
	share.leave()
	c, refused := src.signatures.claim(once, rx.now())
	if refused != nil && refused.failed {
		refused.challenges = v.refusal(src.Auth).challenges
	}
	return c, refused
}
