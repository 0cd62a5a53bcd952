package receiver

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

func address(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// Somebody with many addresses can make us forget who failed, but neither fill
// our memory nor stop those who did not.
func TestTableOfFailuresIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_772_357_400, 0)
	f := &failures{every: rate.Every(2 * time.Second), burst: 1}
	for i := range 10 * maxOffenders {
		f.failed(address(i), now)
		if yes, _, _ := f.tooMany(address(i), now); !yes {
			t.Fatalf("%d has failed, and may go on", i)
		}
		if yes, _, _ := f.tooMany(address(max(0, i-maxOffenders+1)), now); !yes {
			t.Fatalf("at %d, one of the last to fail is forgotten", i)
		}
		if yes, _, _ := f.tooMany(netip.MustParseAddr("203.0.113.9"), now); yes {
			t.Fatal("one that has not failed is stopped")
		}
		if len(f.recent) > maxOffenders || len(f.older) > maxOffenders {
			t.Fatalf("%d and %d addresses", len(f.recent), len(f.older))
		}
	}
	// Who goes on failing is not forgotten.
	f.failed(address(1), now)
	for i := range 3 * maxOffenders {
		f.failed(address(i+2), now)
		f.failed(address(1), now)
	}
	if yes, _, _ := f.tooMany(address(1), now); !yes {
		t.Error("forgotten while it went on")
	}
}

// Many at once are judged before the first of them has failed. It is paid off
// later, and soon enough for honest senders behind the same address.
func TestManyFailuresAtOnce(t *testing.T) {
	t.Parallel()
	now, at := time.Unix(1_772_357_400, 0), address(7)
	f := &failures{every: rate.Every(2 * time.Second), burst: 30}
	for range 4000 {
		f.failed(at, now)
	}
	for after, want := range map[time.Duration]bool{
		0: true, 59 * time.Second: true, 61 * time.Second: true, 63 * time.Second: false,
	} {
		if yes, _, _ := f.tooMany(at, now.Add(after)); yes != want {
			t.Errorf("after %s: stopped is %t", after, yes)
		}
	}
}

func TestStoppedAddressIsLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	now, at := time.Unix(1_772_357_400, 0), address(7)
	f := &failures{every: rate.Every(time.Hour), burst: 1}
	f.failed(at, now)
	told := map[int]int{}
	for second := range 150 {
		if _, tell, silent := f.tooMany(at, now.Add(time.Duration(second)*time.Second)); tell {
			told[second] = silent
		}
	}
	if len(told) != 3 || told[0] != 0 || told[60] != 59 || told[120] != 59 {
		t.Errorf("told at second: so many others: %v", told)
	}
}
