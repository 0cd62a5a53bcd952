package receiver

import (
	"crypto/sha256"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"
)

var startOfWindow = time.Unix(1_772_357_400, 0)

func onceOf(n int, until time.Time) Once {
	return Once{Key: sha256.Sum256([]byte(strconv.Itoa(n))), Until: until}
}

// Whatever comes in whatever order: none is accepted twice that a timestamp does
// not refuse, none is refused that was not accepted, and memory is bounded.
func TestSignaturesAreAcceptedOnce(t *testing.T) {
	t.Parallel()
	const limit, tolerance = 50, 300
	for seed := range uint64(50) {
		chance := rand.New(rand.NewPCG(seed, 1))
		s := &signatures{limit: limit}
		now := time.Unix(1_772_357_400, 0)
		accepted, handled := map[int]bool{}, map[int]claim{}
		fulls := 0
		for step := range 3000 {
			now = now.Add(time.Duration(chance.IntN(3)) * time.Second)
			// An identifier says when it was signed; some are repeats.
			n := int(now.Unix()) - tolerance + chance.IntN(2*tolerance)
			o := onceOf(n, time.Unix(int64(n+tolerance), 0))
			if now.After(o.Until) {
				continue // its timestamp is refused
			}
			c, refused := s.claim(o, now)
			switch _, busy := handled[n]; {
			case len(s.seen) > limit:
				t.Fatalf("seed %d: %d remembered", seed, len(s.seen))
			case refused == nil && (accepted[n] || busy):
				t.Fatalf("seed %d, step %d: %d was let through again", seed, step, n)
			case refused == nil:
				handled[n] = c
			case refused.why() == ReasonReplayed && !accepted[n]:
				t.Fatalf("seed %d, step %d: %d was never accepted", seed, step, n)
			case refused.why() == reasonBusy && !busy:
				t.Fatalf("seed %d, step %d: %d is not being handled", seed, step, n)
			case refused.why() == reasonSignatures:
				fulls++
			}
			for n, c := range handled { // any of them
				if ok := chance.IntN(3) > 0; chance.IntN(2) == 0 {
					c.end(ok)
					accepted[n] = ok
					delete(handled, n)
				}
				break
			}
		}
		if fulls == 0 {
			t.Fatalf("seed %d: the memory was never full", seed)
		}
	}
}

func TestFullMemoryForgetsOnlyWhatTimestampsRefuse(t *testing.T) {
	t.Parallel()
	s := &signatures{limit: 2}
	now := time.Unix(1_772_357_400, 0)
	take := func(n int, until, at time.Time) *refusal {
		c, refused := s.claim(onceOf(n, until), at)
		c.end(refused == nil)
		return refused
	}
	for n := range 2 {
		if refused := take(n, now.Add(time.Duration(n+1)*time.Minute), now); refused != nil {
			t.Fatal(refused.why())
		}
	}
	if refused := take(2, now.Add(5*time.Minute), now); refused == nil || refused.why() != reasonSignatures || refused.status != http.StatusServiceUnavailable {
		t.Fatalf("got %+v", refused)
	}
	if refused := take(2, now.Add(5*time.Minute), now.Add(time.Minute)); refused == nil {
		t.Fatal("forgot one at the very end of its window, where it is good")
	}
	later := now.Add(time.Minute + time.Second)
	if refused := take(2, now.Add(5*time.Minute), later); refused != nil {
		t.Fatal(refused.why())
	}
	// The clock goes back: what is forgotten might be taken for new.
	if refused := take(0, now.Add(time.Minute), now); refused == nil || refused.why() != ReasonReplayed {
		t.Fatalf("got %+v", refused)
	}
	if refused := take(1, now.Add(2*time.Minute), later); refused == nil || refused.why() != ReasonReplayed {
		t.Fatalf("got %+v", refused)
	}
}

// Whichever comes first to its end makes room at once.
func TestFullMemoryMakesRoom(t *testing.T) {
	t.Parallel()
	now := startOfWindow
	for range 20 { // as maps have no order
		mixed := &signatures{limit: 3}
		for n, minutes := range []int{5, 2, 3} {
			if _, refused := mixed.claim(onceOf(n, now.Add(time.Duration(minutes)*time.Minute)), now); refused != nil {
				t.Fatal(refused.why())
			}
			claim{on: mixed, key: onceOf(n, now).Key}.end(true)
		}
		for n, after := range []time.Duration{2*time.Minute + time.Second, 3*time.Minute + time.Second, 5*time.Minute + time.Second} {
			at := now.Add(after)
			c, refused := mixed.claim(onceOf(10+n, at.Add(time.Hour)), at)
			if refused != nil {
				t.Fatalf("after %s: %s", after, refused.why())
			}
			c.end(true)
		}
	}
}
