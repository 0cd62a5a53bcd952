package azure

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// scaleSets are the virtual machine scale sets
// (https://learn.microsoft.com/rest/api/compute/virtual-machine-scale-sets).
type scaleSets struct{}

const (
	kindScaleSet     = "Microsoft.Compute/virtualMachineScaleSets"
	computeVersion   = "2024-07-01"
	autoscaleVersion = "2022-10-01"
)

func (scaleSets) kind() string { return kindScaleSet }

func (scaleSets) spec() remediators.Spec {
	return remediators.Spec{
		Name:    "azure.vmss.scale",
		Summary: "Changes how many machines an Azure virtual machine scale set has, to a number, or by a factor or a step within bounds; never down unless that is written.",
		Params:  json.RawMessage(`{"type": "object", "additionalProperties": false, "properties": {` + scaleProperties + `},` + scaleRules + `}`),
	}
}

func (scaleSets) at(accounts Accounts, t engine.Task) (place, scaleParams, error) {
	var params scaleParams
	if err := decodeParams(t, &params); err != nil {
		return place{}, params, err
	}
	at, err := accounts.at(t.Target, kindScaleSet)
	return at, params, err
}

func (scaleSets) what(at place) string { return "VM scale set " + at.String() }

func (s scaleSets) get(ctx context.Context, at place) (fleetState, error) {
	var is struct {
		ETag string            `json:"etag"`
		Tags map[string]string `json:"tags"`
		SKU  struct {
			Capacity *int `json:"capacity"`
		} `json:"sku"`
		Properties struct {
			State string `json:"provisioningState"`
		} `json:"properties"`
	}
	if err := at.get(ctx, s.what(at), at.path(kindScaleSet), computeVersion, nil, &is); err != nil {
		return fleetState{}, err
	}
	if is.SKU.Capacity == nil {
		return fleetState{}, remediators.Retryable(0, "azure: %s: the answer has no capacity", s.what(at))
	}
	f := fleetState{state: state{ETag: is.ETag, Marks: marksOf(is.Tags[markKey])}, count: *is.SKU.Capacity}
	for key := range is.Tags {
		if strings.EqualFold(key, "aks-managed-poolName") {
			f.fixed = "it belongs to the AKS node pool " + is.Tags[key] + ", which azure.aks.scale scales"
		}
	}
	delete(is.Tags, markKey)
	return f.of(s.what(at), is.Properties.State, is.Tags)
}

// autoscaled looks for an enabled autoscale setting in the resource group, which would
// undo the change.
func (scaleSets) autoscaled(ctx context.Context, at place) (string, error) {
	var settings struct {
		Value []struct {
			Name       string `json:"name"`
			Properties struct {
				Enabled *bool  `json:"enabled"`
				Target  string `json:"targetResourceUri"`
			} `json:"properties"`
		} `json:"value"`
	}
	path := "/subscriptions/" + at.subscription + "/resourceGroups/" + at.id.ResourceGroupName + "/providers/Microsoft.Insights/autoscaleSettings"
	if err := at.get(ctx, "autoscale settings of "+at.id.ResourceGroupName, path, autoscaleVersion, nil, &settings); err != nil {
		return "", err
	}
	for _, each := range settings.Value {
		if on := each.Properties.Enabled; (on == nil || *on) && strings.EqualFold(each.Properties.Target, at.id.String()) {
			return "the autoscale setting " + each.Name + " would undo it", nil
		}
	}
	return "", nil
}

func (scaleSets) change(at place, from state, to int, m marks) (request, error) {
	tags, err := tagged(from.Keep, m)
	if err != nil {
		return request{}, errors.Join(errors.New("the scale set"), err)
	}
	return request{
		method: http.MethodPatch, path: at.path(kindScaleSet), version: computeVersion,
		body: map[string]any{"sku": map[string]any{"capacity": to}, "tags": tags},
	}, nil
}
