package azure

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// VMRestart restarts a virtual machine, which must be running
// (https://learn.microsoft.com/rest/api/compute/virtual-machines/restart).
type VMRestart struct{ press }

const kindVM = "Microsoft.Compute/virtualMachines"

// NewVMRestart makes the action.
func NewVMRestart(accounts Accounts) *VMRestart {
	return &VMRestart{press{
		accounts: accounts, kind: kindVM, version: computeVersion, verb: "restart", look: lookAtVM,
		spec: remediators.Spec{
			Name:    "azure.vm.restart",
			System:  engine.SystemAzure,
			Summary: "Restarts an Azure virtual machine that is running.",
			Params:  json.RawMessage(`{"type": "object", "additionalProperties": false}`),
		},
	}}
}

func lookAtVM(ctx context.Context, t engine.Task, at place) (pressed, error) {
	what := "virtual machine " + at.String()
	if err := decodeParams(t, &struct{}{}); err != nil {
		return pressed{}, err
	}
	var is struct {
		Properties struct {
			State string `json:"provisioningState"`
			View  struct {
				Statuses []struct {
					Code string `json:"code"`
				} `json:"statuses"`
			} `json:"instanceView"`
		} `json:"properties"`
	}
	if err := at.get(ctx, what, at.path(kindVM), computeVersion, url.Values{"$expand": {"instanceView"}}, &is); err != nil {
		return pressed{}, err
	}
	power := "in no known state"
	for _, s := range is.Properties.View.Statuses {
		if state, ok := strings.CutPrefix(s.Code, "PowerState/"); ok {
			power = state
		}
	}
	switch state := is.Properties.State; {
	case state == "Updating" || state == "Creating" || state == "Deleting":
		return pressed{}, remediators.Retryable(0, "azure: %s: Azure is at it: %s", what, state)
	case power != "running":
		return pressed{}, remediators.Terminal("azure: %s is not restarted: it is %s, not running", what, power)
	}
	return pressed{What: what, Summary: "restart " + what, Done: "restarted " + what}, nil
}
