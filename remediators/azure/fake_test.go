package azure

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/costmanagement/armcostmanagement/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/costmanagement/armcostmanagement/v2/fake"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// usage answers a query, as the vendor's fake server wants it.
type usage = func(context.Context, string, armcostmanagement.QueryDefinition, *armcostmanagement.QueryClientUsageOptions) (
	azfake.Responder[armcostmanagement.QueryClientUsageResponse], azfake.ErrorResponder)

// onFake is an account on the vendor's fake server.
func onFake(t *testing.T, credential azcore.TokenCredential, answer usage) *Account {
	t.Helper()
	a, err := newAccount(subscription, credential, azcore.ClientOptions{
		Cloud:     cloud.AzurePublic,
		Transport: fake.NewQueryServerTransport(&fake.QueryServer{Usage: answer}),
	}, func() time.Time { return midMonth })
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTheVendorsFakeTakesTheQuery(t *testing.T) {
	t.Parallel()
	page := 0
	a := onFake(t, &azfake.TokenCredential{}, func(_ context.Context, scope string, q armcostmanagement.QueryDefinition, _ *armcostmanagement.QueryClientUsageOptions) (
		resp azfake.Responder[armcostmanagement.QueryClientUsageResponse], failed azfake.ErrorResponder,
	) {
		page++
		if scope != "subscriptions/"+subscription || *q.Type != armcostmanagement.ExportTypeActualCost || *q.Timeframe != armcostmanagement.TimeframeTypeMonthToDate || q.TimePeriod != nil {
			t.Errorf("%s of %s in %s", *q.Type, scope, *q.Timeframe)
		}
		if set := q.Dataset; set.Granularity != nil || set.Filter != nil || len(set.Aggregation) != 1 || *set.Aggregation["Cost"].Name != "Cost" ||
			*set.Aggregation["Cost"].Function != armcostmanagement.FunctionTypeSum || len(set.Grouping) != 1 ||
			*set.Grouping[0].Name != "ResourceGroupName" || *set.Grouping[0].Type != armcostmanagement.QueryColumnTypeDimension {
			t.Errorf("%+v", set)
		}
		table := &armcostmanagement.QueryProperties{
			Columns: []*armcostmanagement.QueryColumn{
				{Name: new("Cost"), Type: new("Number")},
				{Name: new("ResourceGroupName"), Type: new("String")},
				{Name: new("Currency"), Type: new("String")},
			},
			Rows: [][]any{{float64(page), "rg", "KRW"}},
		}
		if page == 1 {
			table.NextLink = new("https://management.azure.com" + queryPath + "?api-version=2022-10-01&$skiptoken=x")
		}
		resp.SetResponse(http.StatusOK, armcostmanagement.QueryClientUsageResponse{QueryResult: armcostmanagement.QueryResult{Properties: table}}, nil)
		return resp, failed
	})
	got, err := a.MonthToDate(t.Context(), "resourceGroup")
	if want := (Costs{Currency: "KRW", Total: 3, By: map[string]float64{"rg": 3}}); err != nil || !equalCosts(got, want) || !got.To.Equal(midMonth) || page != 2 {
		t.Errorf("got %+v, %v after %d pages", got, err, page)
	}
}

func TestTheVendorsFakeRefuses(t *testing.T) {
	t.Parallel()
	a := onFake(t, &azfake.TokenCredential{}, func(context.Context, string, armcostmanagement.QueryDefinition, *armcostmanagement.QueryClientUsageOptions) (
		resp azfake.Responder[armcostmanagement.QueryClientUsageResponse], failed azfake.ErrorResponder,
	) {
		failed.SetResponseError(http.StatusForbidden, "AuthorizationFailed")
		return resp, failed
	})
	if _, err := a.MonthToDate(t.Context(), ""); remediators.ClassOf(err) != engine.ClassTerminal || !strings.Contains(err.Error(), "HTTP 403 Forbidden (AuthorizationFailed)") {
		t.Errorf("got %v", err)
	}
}

func TestWithoutATokenNothingIsAsked(t *testing.T) {
	t.Parallel()
	var credential azfake.TokenCredential
	credential.SetError(errors.New("nobody is signed in"))
	a := onFake(t, &credential, nil)
	if _, err := a.MonthToDate(t.Context(), ""); remediators.ClassOf(err) != engine.ClassRetryable || !strings.Contains(err.Error(), "nobody is signed in") {
		t.Errorf("got %v", err)
	}
}
