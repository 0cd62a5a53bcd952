package receiver

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// says is an authenticator that says what a test wants, of the headers and, if
// it asks for the body, of that.
type says struct {
	err       error
	challenge string
}

func (s says) Authenticate(*http.Request) error { return s.err }
func (s says) Challenge() string                { return s.challenge }

type saysLater struct {
	says
	later error
	once  Once
}

func (s saysLater) AuthenticateBody(*http.Request, []byte) (Once, error) { return s.once, s.later }

func TestVerdicts(t *testing.T) {
	t.Parallel()
	const bearer, basic = `Bearer realm="x"`, `Basic realm="x"`
	expired := &Denial{Err: ErrUnauthenticated, Reason: ReasonTokenExpired, Detail: "since noon", Challenge: bearer + `, error="invalid_token"`}
	stale := &Denial{Err: ErrUnauthenticated, Reason: ReasonStale, Detail: "signed at noon"}
	role := &Denial{Err: ErrForbidden, Reason: ReasonTokenClaim, Detail: "no role", Challenge: bearer + `, error="insufficient_scope"`}
	madeUp := &Denial{Err: ErrUnauthenticated, Reason: "user-4711", Detail: "of a plug-in"}
	gone := errors.New("the file is gone")
	for _, c := range []struct {
		name            string
		list            []Authenticator
		status          int
		reason, counted Reason
		challenges      []string
		cause           string
	}{
		{"one passes", []Authenticator{says{err: gone}, says{}, says{err: role}}, 0, "", "", nil, ""},
		{"one passes by the body", []Authenticator{says{err: gone}, saysLater{}}, 0, "", "", nil, ""},
		{"nothing", []Authenticator{says{ErrUnauthenticated, bearer}, says{ErrUnauthenticated, basic}, says{ErrUnauthenticated, ""}}, 401, "unauthenticated", "unauthenticated", []string{bearer, basic}, ""},
		{"wrapped", []Authenticator{says{fmt.Errorf("plug-in: %w", ErrUnauthenticated), bearer}}, 401, "unauthenticated", "unauthenticated", []string{bearer}, ""},
		{"a reason", []Authenticator{says{ErrUnauthenticated, bearer}, says{expired, bearer}}, 401, "unauthenticated", "token-expired", []string{expired.Challenge}, "since noon"},
		{"the first of two reasons", []Authenticator{says{expired, bearer}, says{madeUp, ""}, says{stale, ""}}, 401, "unauthenticated", "token-expired", []string{expired.Challenge}, "since noon|of a plug-in|signed at noon"},
		{"a reason that the sender may know", []Authenticator{says{stale, basic}}, 401, "stale-signature", "stale-signature", []string{basic}, "signed at noon"},
		{"a reason that is not bounded", []Authenticator{says{madeUp, basic}}, 401, "unauthenticated", "unauthenticated", []string{basic}, "of a plug-in"},
		{"forbidden", []Authenticator{says{role, bearer}}, 403, "forbidden", "token-claim", []string{role.Challenge}, "no role"},
		{"forbidden and wrong", []Authenticator{says{expired, bearer}, says{role, bearer}, says{expired, bearer}}, 403, "forbidden", "token-claim", []string{role.Challenge}, "since noon|no role|since noon"},
		{"forbidden, and no more to say", []Authenticator{says{ErrForbidden, bearer}}, 403, "forbidden", "forbidden", nil, ""},
		{"one cannot tell", []Authenticator{says{role, bearer}, says{gone, bearer}}, 503, "authentication-unavailable", "authentication-unavailable", nil, "the file is gone"},
		{"wrong body", []Authenticator{says{ErrUnauthenticated, bearer}, saysLater{later: stale}}, 401, "stale-signature", "stale-signature", []string{bearer}, "signed at noon"},
		{"wrong body, and one cannot tell", []Authenticator{says{gone, bearer}, saysLater{later: stale}}, 503, "authentication-unavailable", "authentication-unavailable", nil, "the file is gone"},
	} {
		v := judgeHeaders(nil, c.list)
		if !v.passed && len(v.pending) > 0 {
			v.judgeBody(nil, nil)
		}
		if v.passed != (c.status == 0) {
			t.Errorf("%s: passed is %t", c.name, v.passed)
		}
		if v.passed {
			continue
		}
		f := v.refusal(c.list)
		if f.status != c.status || f.reason != c.reason || f.why() != c.counted || !slices.Equal(f.challenges, c.challenges) || f.failed != (c.status < 500) {
			t.Errorf("%s: %+v", c.name, f)
		}
		if got := strings.ReplaceAll(fmt.Sprint(f.cause), "\n", "|"); f.cause == nil && c.cause != "" || f.cause != nil && got != c.cause {
			t.Errorf("%s: the log hears %q", c.name, got)
		}
		for _, secret := range []string{"noon", "role", "gone", "plug-in", "user-4711"} {
			if strings.Contains(f.detail, secret) {
				t.Errorf("%s: the sender hears %q", c.name, f.detail)
			}
		}
	}
}

// The one that is good once only counts, whichever comes first.
func TestVerdictKeepsWhatIsGoodOnce(t *testing.T) {
	t.Parallel()
	once := onceOf(1, startOfWindow)
	for _, list := range [][]Authenticator{{saysLater{once: once}, saysLater{}}, {saysLater{}, saysLater{once: once}}} {
		v := judgeHeaders(nil, list)
		if got := v.judgeBody(nil, nil); got != once || !v.passed {
			t.Errorf("%t, %+v", v.passed, got)
		}
	}
}

func TestPartOfTheBudget(t *testing.T) {
	t.Parallel()
	whole := &budget{limit: 100}
	part := &budget{limit: 40, whole: whole}
	used := func(inPart, inAll int64) {
		t.Helper()
		if part.used.Load() != inPart || whole.used.Load() != inAll {
			t.Fatalf("%d and %d, want %d and %d", part.used.Load(), whole.used.Load(), inPart, inAll)
		}
	}
	first, ok := part.hold(30)
	if used(30, 30); !ok || first.resize(41) {
		t.Fatal("more than the part")
	}
	used(30, 30)
	other, _ := whole.hold(65)
	if first.resize(40) {
		t.Fatal("more than the whole")
	}
	used(30, 95)
	other.release()
	first.leave()
	if used(0, 30); !first.resize(90) {
		t.Fatal("it has left the part")
	}
	first.leave()
	used(0, 90)
	if _, ok := part.hold(20); ok {
		t.Fatal("more than the whole")
	}
	used(0, 90)
	first.release()
	used(0, 0)
}
