package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// nodePools are those of Azure Kubernetes Service
// (https://learn.microsoft.com/rest/api/aks/agent-pools).
type nodePools struct{}

const (
	kindCluster  = "Microsoft.ContainerService/managedClusters"
	kindNodePool = kindCluster + "/agentPools"
	aksVersion   = "2024-09-01"
)

func (nodePools) kind() string { return kindNodePool }

func (nodePools) spec() remediators.Spec {
	return remediators.Spec{
		Name:    "azure.aks.scale",
		Summary: "Changes how many nodes a node pool of Azure Kubernetes Service has, to a number, or by a factor or a step within bounds; never down unless that is written.",
		Params: json.RawMessage(`{"type": "object", "additionalProperties": false, "required": ["nodePool"], "properties": {
    "nodePool": {"type": "string", "minLength": 1, "description": "The node pool's name in its cluster."},` + scaleProperties + `},` + scaleRules + `}`),
	}
}

// at is the node pool of that name in the cluster that the target is, or the target.
func (nodePools) at(accounts Accounts, t engine.Task) (place, scaleParams, error) {
	var params struct {
		NodePool string `json:"nodePool"`
		scaleParams
	}
	if err := decodeParams(t, &params); err != nil {
		return place{}, params.scaleParams, err
	}
	if params.NodePool == "" {
		return place{}, params.scaleParams, badParams(t, "nodePool is missing: want the name of one in the cluster")
	}
	at, err := accounts.at(t.Target, kindCluster, kindNodePool)
	switch {
	case err != nil:
	case strings.EqualFold(at.id.ResourceType.String(), kindCluster):
		at, err = accounts.at(at.target("agentPools", params.NodePool), kindNodePool)
	case !strings.EqualFold(at.id.Name, params.NodePool):
		err = badParams(t, "nodePool is %q, but the target is the node pool %s", params.NodePool, at.id.Name)
	}
	return at, params.scaleParams, err
}

func (nodePools) what(at place) string {
	return "node pool " + at.id.Name + " of " + at.id.Parent.Name + " in " + at.name
}

// get keeps all of a node pool's properties: Azure has no request for the number alone,
// and what a client does not send along is set to its default.
func (n nodePools) get(ctx context.Context, at place) (fleetState, error) {
	var whole struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := at.get(ctx, n.what(at), at.path(kindNodePool), aksVersion, nil, &whole); err != nil {
		return fleetState{}, err
	}
	var is struct {
		ETag      string            `json:"eTag"`
		Tags      map[string]string `json:"tags"`
		Count     *int              `json:"count"`
		Autoscale bool              `json:"enableAutoScaling"`
		State     string            `json:"provisioningState"`
		Power     struct {
			Code string `json:"code"`
		} `json:"powerState"`
	}
	b, err := json.Marshal(whole.Properties)
	if err == nil {
		err = json.Unmarshal(b, &is)
	}
	if err == nil && is.Count == nil {
		err = errors.New("there is no count")
	}
	if err != nil {
		return fleetState{}, remediators.Retryable(0, "azure: %s: the answer is not as documented: %w", n.what(at), err)
	}
	f := fleetState{state: state{ETag: is.ETag, Marks: marksOf(is.Tags[markKey])}, count: *is.Count}
	switch {
	case is.Autoscale:
		f.fixed = "the cluster autoscaler would undo it"
	case is.Power.Code == "Stopped":
		f.fixed = "it is stopped"
	}
	for _, told := range []string{"eTag", "provisioningState", "currentOrchestratorVersion", "nodeImageVersion"} {
		delete(whole.Properties, told) // Azure's to say
	}
	return f.of(n.what(at), is.State, whole.Properties)
}

// autoscaled finds none but the cluster's, which get has seen.
func (nodePools) autoscaled(context.Context, place) (string, error) { return "", nil }

func (nodePools) change(at place, from state, to int, m marks) (request, error) {
	var properties map[string]json.RawMessage
	if err := json.Unmarshal(from.Keep, &properties); err != nil || properties == nil {
		return request{}, fmt.Errorf("the node pool's properties: %q: %w", from.Keep, err)
	}
	keep := properties["tags"]
	if keep == nil {
		keep = json.RawMessage(`{}`)
	}
	tags, err := tagged(keep, m)
	if err != nil {
		return request{}, err
	}
	whole := make(map[string]any, len(properties))
	for key, value := range properties {
		whole[key] = value
	}
	whole["count"], whole["tags"] = to, tags
	return request{
		method: http.MethodPut, path: at.path(kindNodePool), version: aksVersion,
		body: map[string]any{"properties": whole},
	}, nil
}
