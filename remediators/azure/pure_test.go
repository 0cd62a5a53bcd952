package azure

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/costmanagement/armcostmanagement/v2"
)

func TestRetryAfterIsTheLongest(t *testing.T) {
	t.Parallel()
	const limited = "X-Ms-Ratelimit-Microsoft.costmanagement-"
	for _, c := range []struct {
		header http.Header
		want   time.Duration
	}{
		{nil, 0},
		{http.Header{"Retry-After": {"7"}}, 7 * time.Second},
		{http.Header{"Retry-After": {midMonth.Add(time.Hour).Format(http.TimeFormat)}}, time.Hour},
		{http.Header{"Retry-After": {midMonth.Add(-time.Hour).Format(http.TimeFormat)}}, 0},
		{http.Header{"Retry-After-Ms": {"1500"}}, 1500 * time.Millisecond},
		{http.Header{"X-Ms-Retry-After-Ms": {"1500"}, "Retry-After": {"1"}}, 1500 * time.Millisecond},
		{http.Header{limited + "qpu-Retry-After": {"30"}}, 30 * time.Second},
		{http.Header{limited + "qpu-Retry-After": {"3"}, limited + "entity-Retry-After": {"40"}, limited + "tenant-Retry-After": {"5"}}, 40 * time.Second},
		{http.Header{limited + "Clienttype-Retry-After": {"3", "60"}}, time.Minute},
		{http.Header{"X-Ms-Ratelimit-Microsoft.consumption-Retry-After": {" 9 "}}, 9 * time.Second},
		{http.Header{limited + "qpu-Remaining": {"30"}, limited + "qpu-Consumed": {"30"}}, 0},
		{http.Header{"Retry-After": {"soon", "", "-5", "1e3"}}, 0},
		{http.Header{"Retry-After": {"99999999"}}, mostThrottle},
		{http.Header{"Retry-After": {"9223372036854775807"}}, mostThrottle},
		{http.Header{"Retry-After": {"99999999999999999999"}}, 0},
		{http.Header{"Retry-After-Ms": {"9223372036854775807"}}, mostThrottle},
		{http.Header{"Retry-After": {midMonth.AddDate(5, 0, 0).Format(http.TimeFormat)}}, mostThrottle},
	} {
		if got := retryAfter(c.header, midMonth); got != c.want {
			t.Errorf("%v: %s, want %s", c.header, got, c.want)
		}
	}
}

func TestShownIsShortAndHoldsNoToken(t *testing.T) {
	t.Parallel()
	const path = "open /var/run/secrets/azure/tokens/azure-identity-token: no such file"
	for text, want := range map[string]string{
		"a\n\tb  c": "a b c",
		path:        path,
		"json decode error: x\njson message bytes were: {\"access_token\": \"y\"}": "json decode error: x json message bytes were:",
		"id " + subscription:               "id " + subscription,
		"token " + strings.Repeat("a", 40): "token …",
		"token eyJ0." + strings.Repeat("A", 50) + "." + strings.Repeat("-_", 30): "token eyJ0.….…",
		strings.Repeat("ä ", 400): strings.Repeat("ä ", 200) + "…",
	} {
		if got := shown(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

// answer is a table of random costs, in whole amounts, so that sums are exact.
func answer(r *rand.Rand) *armcostmanagement.QueryProperties {
	name := func(s string) *armcostmanagement.QueryColumn { return &armcostmanagement.QueryColumn{Name: &s} }
	p := &armcostmanagement.QueryProperties{Columns: []*armcostmanagement.QueryColumn{name("Cost"), name("ServiceName"), name("Currency")}}
	for range r.IntN(30) {
		p.Rows = append(p.Rows, []any{float64(r.IntN(2000) - 500), string(rune('a' + r.IntN(5))), "USD"})
	}
	return p
}

// TestOrderAndPagesDoNotMatter: however Azure orders columns and rows, and wherever a
// page ends, the costs are the same.
func TestOrderAndPagesDoNotMatter(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		whole := answer(r)
		d, err := dimensionOf("service")
		if err != nil {
			t.Fatal(err)
		}
		once := tally{dimension: d}
		if err := once.add(whole); err != nil {
			t.Fatal(err)
		}
		rows := slices.Clone(whole.Rows)
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		paged := tally{dimension: d}
		for more := true; more; more = len(rows) > 0 {
			n := r.IntN(len(rows) + 1)
			order := r.Perm(len(whole.Columns))
			p := &armcostmanagement.QueryProperties{}
			for _, from := range order {
				p.Columns = append(p.Columns, whole.Columns[from])
			}
			for _, row := range rows[:n] {
				var turned []any
				for _, from := range order {
					turned = append(turned, row[from])
				}
				p.Rows = append(p.Rows, turned)
			}
			if err := paged.add(p); err != nil {
				t.Fatal(err)
			}
			rows = rows[n:]
		}
		if a, b := once.costs(), paged.costs(); !equalCosts(a, b) {
			t.Fatalf("seed %d: %+v and %+v", seed, a, b)
		}
	}
}

// FuzzTable gives whatever JSON to the reader of answers.
func FuzzTable(f *testing.F) {
	for _, body := range []string{
		table("", []string{"Cost", "Currency"}, []any{1, "USD"}),
		table("x", []string{"Cost", "ServiceName", "Currency"}, []any{1, "A", "USD"}, []any{-2.5, nil, "USD"}),
		table("", []string{"Cost", "TagKey", "TagValue", "Currency"}, []any{1e308, "a", "b", "USD"}, []any{1e308, "a", "b", "USD"}),
		`{"properties": {"columns": [null], "rows": [[null]]}}`,
	} {
		for _, by := range []string{"", "service", "tag:a"} {
			f.Add([]byte(body), by)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, by string) {
		d, err := dimensionOf(by)
		if err != nil {
			return
		}
		var result armcostmanagement.QueryResult
		if json.Unmarshal(body, &result) != nil {
			return
		}
		sum := tally{dimension: d}
		if sum.add(result.Properties) != nil {
			return
		}
		c, parts := sum.costs(), 0.0
		for _, part := range c.By {
			parts += part
		}
		switch {
		case (c.Currency == "") != (len(result.Properties.Rows) == 0):
			t.Errorf("%d rows in currency %q", len(result.Properties.Rows), c.Currency)
		case (c.By == nil) != (by == ""):
			t.Errorf("by %q: %v", by, c.By)
		case math.IsNaN(c.Total) || math.IsInf(c.Total, 0):
			t.Errorf("total %v", c.Total)
		case by != "" && math.Abs(parts-c.Total) > 1e-6*magnitude(result.Properties.Rows):
			t.Errorf("the parts are %v, the total is %v", parts, c.Total)
		}
	})
}

// magnitude is the sum of all numbers without their signs.
func magnitude(rows [][]any) float64 {
	sum := 1.0
	for _, row := range rows {
		for _, v := range row {
			if n, ok := v.(float64); ok {
				sum += math.Abs(n)
			}
		}
	}
	return sum
}

func TestKindSaysNothingOfTheContent(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{"a text": "secret", "a number": 1.5, "null": nil, "a list": []any{1}, "an object": map[string]any{}, "an empty text": "", "true or false": true} {
		if got := kind(v); got != want {
			t.Errorf("%s is %s, want %s", fmt.Sprint(v), got, want)
		}
	}
}
