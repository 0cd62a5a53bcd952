package azure

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// leastThrottle is how long a question waits at least that was throttled. Azure
	// often asks for a second or two and throttles again; its figures change every
	// four hours, so nothing is lost.
	leastThrottle = time.Minute
	// mostThrottle bounds what a header can ask for.
	mostThrottle = 24 * time.Hour
)

// retryAfter is the longest of the delays that an answer asks for; 0 if it asks
// for none.
//
// Cost Management tells each of its limits in a header of its own, in seconds:
// x-ms-ratelimit-microsoft.costmanagement-qpu-retry-after, which is documented
// (https://learn.microsoft.com/azure/cost-management-billing/costs/manage-automation#response-headers),
// and likewise entity, tenant and clienttype, which are only seen. The limit that
// holds longest is the one that counts.
func retryAfter(h http.Header, now time.Time) time.Duration {
	var longest time.Duration
	for name, values := range h {
		name = strings.ToLower(name)
		unit := time.Second
		switch {
		case name == "retry-after-ms", name == "x-ms-retry-after-ms":
			unit = time.Millisecond
		case name == "retry-after", strings.HasPrefix(name, "x-ms-ratelimit-") && strings.HasSuffix(name, "-retry-after"):
		default:
			continue
		}
		for _, v := range values {
			longest = max(longest, delay(strings.TrimSpace(v), unit, now))
		}
	}
	return min(longest, mostThrottle)
}

// delay reads a number of units, or a date.
func delay(value string, unit time.Duration, now time.Time) time.Duration {
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(n, int64(mostThrottle/unit))) * unit
	}
	if date, err := http.ParseTime(value); err == nil {
		return date.Sub(now)
	}
	return 0
}
