package azure

import (
	"context"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/costmanagement/armcostmanagement/v2"

	"github.com/tripgen/paramedic/remediators"
)

const (
	// costTimeout bounds a question with all its pages and repetitions, and
	// tryTimeout one request. Azure takes half a minute for a large subscription.
	costTimeout = 5 * time.Minute
	tryTimeout  = time.Minute
	// maxPages bounds the pages of an answer, of up to 5,000 rows each.
	maxPages = 20
	// nextMonth is when to ask again after the month has turned over a question.
	nextMonth = time.Minute
)

// Costs are what Azure has recorded for a subscription from the first of this
// month on. It records usage hours later, often a day, so the last day or two are
// not in there yet.
type Costs struct {
	// Currency is the one code of all amounts (ISO 4217), such as KRW. It is empty
	// where Azure has recorded nothing yet, as in the first hours of a month; all
	// amounts are zero then.
	Currency string
	// Total is what was billed or will be, credits subtracted; it may be below 0.
	Total float64
	// By has the parts of Total by the value of the dimension that was asked for;
	// nil if none was. The part that has no such value, as what has no tag, is under
	// the empty text. Names of resource groups and resource types are in small
	// letters.
	By map[string]float64
	// From is the first of the month, and To when Azure answered, both in UTC, as
	// Azure counts the days. To is by Azure's clock.
	From, To time.Time
}

// MonthToDate asks for the actual costs of this month, broken down by one of
// [Dimensions], by a tag, or not at all if by is empty.
//
// An error is one of package remediators': retryable if asking again may help,
// with the delay that Azure demands where it throttles; else terminal.
func (a *Account) MonthToDate(ctx context.Context, by string) (Costs, error) {
	d, err := dimensionOf(by)
	if err != nil {
		return Costs{}, remediators.Terminal("azure: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, costTimeout)
	defer cancel()

	asked := a.now()
	sum := tally{dimension: d}
	var last page
	for n := 1; ; n++ {
		if last, err = a.ask(ctx, d, last.next); err != nil {
			return Costs{}, err
		}
		if err := sum.add(last.table); err != nil {
			return Costs{}, remediators.Terminal("azure: costs of subscription %s: page %d: %w", a.subscription, n, err)
		}
		if last.next == nil {
			break
		}
		if n == maxPages {
			return Costs{}, remediators.Terminal("azure: costs of subscription %s: Azure has more than %d pages of them: break them down by something with fewer values",
				a.subscription, maxPages)
		}
	}
	costs := sum.costs()
	costs.To = last.at.UTC()
	costs.From = time.Date(costs.To.Year(), costs.To.Month(), 1, 0, 0, 0, 0, time.UTC)
	// Azure decides which month it is. If that changed meanwhile, nobody knows of
	// which one these costs are; the last month's, taken for this one's, would look
	// like a budget that is used up on the first day. The date that Azure sends has
	// whole seconds.
	if took := last.now.Sub(asked) + time.Second; costs.To.Add(-took).Before(costs.From) {
		return Costs{}, remediators.Retryable(nextMonth, "azure: costs of subscription %s: the month turned while they were asked for: ask again", a.subscription)
	}
	return costs, nil
}

// question is the body of the query.
func question(d dimension) armcostmanagement.QueryDefinition {
	set := &armcostmanagement.QueryDataset{
		// The key is what the column of the answer is called.
		Aggregation: map[string]*armcostmanagement.QueryAggregation{
			columnCost: {Name: new(columnCost), Function: new(armcostmanagement.FunctionTypeSum)},
		},
	}
	if d.name != "" {
		set.Grouping = []*armcostmanagement.QueryGrouping{{Type: new(d.kind), Name: new(d.name)}}
	}
	return armcostmanagement.QueryDefinition{
		Type:      new(armcostmanagement.ExportTypeActualCost),
		Timeframe: new(armcostmanagement.TimeframeTypeMonthToDate),
		Dataset:   set,
	}
}

// costRetry is the SDK's own, but for 429: its first repetition comes within a
// second, unless the usual header says later, and Cost Management has headers of
// its own. Asking again so soon prolongs it.
func costRetry() policy.RetryOptions {
	return policy.RetryOptions{
		TryTimeout: tryTimeout,
		StatusCodes: []int{
			http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway,
			http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		},
	}
}
