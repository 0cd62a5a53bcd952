package azure

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

func TestTheQueryIsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	const start = `{"type": "ActualCost", "timeframe": "MonthToDate", "dataset": {"aggregation": {"Cost": {"name": "Cost", "function": "Sum"}}`
	for by, c := range map[string]struct {
		grouping string
		columns  []string
		rows     [][]any
		want     Costs
	}{
		"": {
			"",
			[]string{"Cost", "Currency"},
			[][]any{{1234.5, "KRW"}},
			Costs{Currency: "KRW", Total: 1234.5},
		},
		"service": {
			`, "grouping": [{"type": "Dimension", "name": "ServiceName"}]`,
			[]string{"Cost", "ServiceName", "Currency"},
			[][]any{{10.5, "Azure Kubernetes Service", "USD"}, {2, "Storage", "USD"}, {-0.5, "", "USD"}},
			Costs{Currency: "USD", Total: 12, By: map[string]float64{"Azure Kubernetes Service": 10.5, "Storage": 2, "": -0.5}},
		},
		"resourceGroup": {
			`, "grouping": [{"type": "Dimension", "name": "ResourceGroupName"}]`,
			[]string{"Cost", "ResourceGroupName", "Currency"},
			[][]any{{1, "Production", "USD"}, {2, "production", "USD"}},
			Costs{Currency: "USD", Total: 3, By: map[string]float64{"production": 3}},
		},
		"resourceType": {
			`, "grouping": [{"type": "Dimension", "name": "ResourceType"}]`,
			[]string{"Cost", "ResourceType", "Currency"},
			[][]any{{1, "Microsoft.Cache/Redis", "USD"}},
			Costs{Currency: "USD", Total: 1, By: map[string]float64{"microsoft.cache/redis": 1}},
		},
		"location": {
			`, "grouping": [{"type": "Dimension", "name": "ResourceLocation"}]`,
			[]string{"Currency", "ResourceLocation", "Cost"},
			[][]any{{"USD", "koreacentral", 1}, {"USD", nil, 2}},
			Costs{Currency: "USD", Total: 3, By: map[string]float64{"koreacentral": 1, "": 2}},
		},
		"tag:team": {
			`, "grouping": [{"type": "TagKey", "name": "team"}]`,
			[]string{"Cost", "TagKey", "TagValue", "Currency"},
			[][]any{{1, "team", "Platform", "USD"}, {4, "team", "platform", "USD"}, {2, "", "", "USD"}},
			Costs{Currency: "USD", Total: 7, By: map[string]float64{"Platform": 1, "platform": 4, "": 2}},
		},
	} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, reply(http.StatusOK, table("", c.columns, c.rows...)))
			got, err := l.account().MonthToDate(t.Context(), by)
			if err != nil || !equalCosts(got, c.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
			if want := time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC); !got.From.Equal(want) || !got.To.Equal(midMonth) {
				t.Errorf("from %s to %s", got.From, got.To)
			}
			asked := l.asked()
			if len(asked) != 1 || asked[0].link != queryPath+"?api-version=2022-10-01" || !same(t, asked[0].body, start+c.grouping+"}}") {
				t.Errorf("asked %v", asked)
			}
		})
	}
}

func TestNothingIsAskedByAnUnknownDimension(t *testing.T) {
	t.Parallel()
	l := newLocal(t)
	for _, by := range []string{"Service", "services", "tag", "tag:", "tag:a/b", "tag:" + strings.Repeat("x", maxTag+1), " "} {
		_, err := l.account().MonthToDate(t.Context(), by)
		if remediators.ClassOf(err) != engine.ClassTerminal || CheckDimension(by) == nil {
			t.Errorf("%q: %v", by, err)
		}
	}
	for _, by := range append(Dimensions(), "", "tag:cost center", "tag:"+strings.Repeat("x", maxTag)) {
		if err := CheckDimension(by); err != nil {
			t.Error(err)
		}
	}
	if !slices.IsSorted(Dimensions()) {
		t.Errorf("%v are not sorted", Dimensions())
	}
}

// TestAMonthWithoutCostsIsNoFailure: on the first of a month there are none yet. Who
// may not see them gets a refusal, and not an empty table.
func TestAMonthWithoutCostsIsNoFailure(t *testing.T) {
	t.Parallel()
	l := newLocal(t, total(), reply(http.StatusOK, table("", []string{"Cost", "ServiceName", "Currency"})))
	a := l.account()
	if got, err := a.MonthToDate(t.Context(), ""); err != nil || !equalCosts(got, Costs{}) || got.From.IsZero() {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := a.MonthToDate(t.Context(), "service"); err != nil || !equalCosts(got, Costs{By: map[string]float64{}}) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestPagesAreAddedUp(t *testing.T) {
	t.Parallel()
	columns := []string{"Cost", "ServiceName", "Currency"}
	const link = "https://management.azure.com" + queryPath + "?api-version=2022-10-01&$skiptoken="
	// Azure writes the path in a case of its own, and the host need not be in small letters.
	first := strings.NewReplacer("/query?", "/Query?", "/subscriptions/", "/Subscriptions/", "management.azure", "Management.Azure").Replace(link)
	l := newLocal(t,
		reply(http.StatusOK, table(first+"AQAAAA%3D%3D", columns, []any{1, "A", "USD"}, []any{2, "B", "USD"})),
		reply(http.StatusOK, table(link+"BQ==&$top=5000", columns, []any{4, "A", "USD"})),
		reply(http.StatusOK, table("", []string{"ServiceName", "Currency", "Cost"}, []any{"C", "USD", 8})),
	)
	got, err := l.account().MonthToDate(t.Context(), "service")
	if want := (Costs{Currency: "USD", Total: 15, By: map[string]float64{"A": 5, "B": 2, "C": 8}}); err != nil || !equalCosts(got, want) {
		t.Fatalf("got %+v, %v", got, err)
	}
	asked := l.asked()
	for i, token := range []string{"", "AQAAAA==", "BQ=="} {
		u, err := url.Parse(asked[i].link)
		if err != nil || u.Query().Get("$skiptoken") != token {
			t.Errorf("page %d: %s, %v, want token %s", i+1, asked[i].link, err, token)
		}
		if asked[i].body != asked[0].body {
			t.Errorf("page %d is asked for with %s", i+1, asked[i].body)
		}
	}
}

func TestALinkThatLeadsElsewhereIsNotFollowed(t *testing.T) {
	t.Parallel()
	for _, link := range []string{
		"https://management.azure.com.evil.example" + queryPath,
		"https://evil.example" + queryPath + "?x=management.azure.com",
		"https://evil.example/@management.azure.com" + queryPath,
		"https://evil@management.azure.com" + queryPath,
		"https://management.azure.com:8443" + queryPath,
		"http://management.azure.com" + queryPath,
		"//management.azure.com" + queryPath,
		queryPath,
		"https://management.azure.com/subscriptions/" + subscription + "/resources",
		"https://management.azure.com" + strings.Replace(queryPath, subscription, tenant, 1),
		"https://management.azure.com" + queryPath + "/../../../../../subscriptions",
		"https://management.azure.com" + queryPath + "%2f..",
		"::", "https://management.azure.com/%zz", "x?%zz",
	} {
		l := newLocal(t, reply(http.StatusOK, table(link, []string{"Cost", "Currency"}, []any{1, "USD"})))
		got, err := l.account().MonthToDate(t.Context(), "")
		if remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "the link to the next page") {
			t.Errorf("%s: %+v, %v", link, got, err)
		}
	}
}

func TestPagesHaveAnEnd(t *testing.T) {
	t.Parallel()
	page := reply(http.StatusOK, table("https://management.azure.com"+queryPath+"?$skiptoken=x&api-version=2022-10-01", []string{"Cost", "Currency"}, []any{1, "USD"}))
	l := newLocal(t, slices.Repeat([]http.HandlerFunc{page}, maxPages)...)
	if got, err := l.account().MonthToDate(t.Context(), ""); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "20 pages") {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestNobodyIsChargedForLastMonth: around midnight nobody knows which month an answer
// is of, if the month turned before it came.
func TestNobodyIsChargedForLastMonth(t *testing.T) {
	t.Parallel()
	midnight := time.Date(2026, time.April, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name    string
		ours    time.Time     // when it is asked, by this machine's clock
		took    time.Duration // until the answer
		theirs  string        // the date of the answer
		refused bool
		month   time.Month
	}{
		{"long before", midnight.Add(-time.Hour), time.Second, "", false, time.March},
		{"over midnight", midnight.Add(-time.Second), 2 * time.Second, "", true, 0},
		{"over midnight by Azure's clock", midnight.Add(-time.Hour), 10 * time.Second, midnight.Add(5 * time.Second).Format(http.TimeFormat), true, 0},
		{"just after, to a second", midnight.Add(5 * time.Second), 5 * time.Second, midnight.Add(5 * time.Second).Format(http.TimeFormat), true, 0},
		{"after", midnight.Add(5 * time.Second), 5 * time.Second, midnight.Add(10 * time.Second).Format(http.TimeFormat), false, time.April},
		{"our clock is a day fast", midnight.Add(23 * time.Hour), time.Second, midnight.Add(-time.Hour).Format(http.TimeFormat), false, time.March},
		{"no clock there", midnight.Add(time.Hour), time.Second, "soon", false, time.April},
		{"another zone", midnight.Add(2 * time.Hour).In(time.FixedZone("PST", -8*3600)), time.Second, "", false, time.April},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, reply(http.StatusOK, table("", []string{"Cost", "Currency"}, []any{1, "USD"}), "Date", c.theirs))
			a := l.account()
			calls := 0
			a.now = func() time.Time { calls++; return c.ours.Add(time.Duration(calls-1) * c.took) }
			got, err := a.MonthToDate(t.Context(), "")
			if c.refused {
				if f := remediators.Failure(err); f.Class != engine.ClassRetryable || f.RetryAfter != nextMonth {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if err != nil || got.From.Month() != c.month || got.From.Day() != 1 || got.From.Location() != time.UTC {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestTablesThatCannotBeAdded(t *testing.T) {
	t.Parallel()
	plain := []string{"Cost", "Currency"}
	by := []string{"Cost", "ServiceName", "Currency"}
	for name, c := range map[string]struct {
		body, want string
	}{
		"two currencies":    {table("", plain, []any{1, "USD"}, []any{1, "KRW"}), "in USD and in KRW"},
		"no currency":       {table("", []string{"Cost"}, []any{1}), "no column Currency, only: Cost"},
		"empty currency":    {table("", plain, []any{1, ""}), "row 1: column Currency is an empty text"},
		"currency is null":  {table("", plain, []any{1, nil}), "row 1: column Currency is null"},
		"other measure":     {table("", []string{"PreTaxCost", "Currency"}, []any{1, "USD"}), "no column Cost, only: PreTaxCost, Currency"},
		"cost twice":        {table("", []string{"Cost", "cost", "Currency"}, []any{1, 2, "USD"}), "two columns are called Cost"},
		"cost is a text":    {table("", plain, []any{1, "USD"}, []any{"1", "USD"}), "row 2: column Cost is a text"},
		"cost is null":      {table("", plain, []any{nil, "USD"}), "row 1: column Cost is null"},
		"cost is a list":    {table("", plain, []any{[]any{1}, "USD"}), "row 1: column Cost is a list"},
		"beyond all":        {table("", plain, []any{1e308, "USD"}, []any{1e308, "USD"}), "row 2: the sum is no number"},
		"short row":         {table("", plain, []any{1}), "row 1 has 1 values for 2 columns"},
		"long row":          {table("", plain, []any{1, "USD", "x"}), "row 1 has 3 values for 2 columns"},
		"no dimension":      {table("", plain, []any{1, "USD"}), "no column ServiceName"},
		"value is a number": {table("", by, []any{1, 2, "USD"}), "row 1: column ServiceName is a number"},
		"value is a truth":  {table("", by, []any{1, true, "USD"}), "row 1: column ServiceName is true or false"},
		"value is a map":    {table("", by, []any{1, map[string]any{}, "USD"}), "row 1: column ServiceName is an object"},
		"no columns":        {table("", nil), "no table"},
		"no properties":     {`{"id": "x", "properties": null}`, "no table"},
		"nothing":           {`{}`, "no table"},
		"column is null":    {`{"properties": {"columns": [null, {"name": "Cost"}], "rows": []}}`, "column 1 has no name"},
		"nameless column":   {`{"properties": {"columns": [{"type": "Number"}], "rows": []}}`, "column 1 has no name"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dimension := ""
			if strings.Contains(c.want, "ServiceName") {
				dimension = "service"
			}
			l := newLocal(t, reply(http.StatusOK, c.body))
			got, err := l.account().MonthToDate(t.Context(), dimension)
			if remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(fmt.Sprint(err), c.want) || !strings.Contains(fmt.Sprint(err), "page 1: ") {
				t.Errorf("got %+v, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestCurrenciesAreComparedOverPages(t *testing.T) {
	t.Parallel()
	columns := []string{"Cost", "Currency"}
	l := newLocal(t,
		reply(http.StatusOK, table("https://management.azure.com"+queryPath+"?api-version=2022-10-01&$skiptoken=x", columns, []any{1, "USD"})),
		reply(http.StatusOK, table("", columns, []any{1, "KRW"})),
	)
	if got, err := l.account().MonthToDate(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "page 2: row 1: there are costs in USD and in KRW") {
		t.Errorf("got %+v, %v", got, err)
	}
}
