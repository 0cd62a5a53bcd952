package kubernetes

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
)

// Client sends requests to the API server of one cluster. It is made by [Connect].
//
// It knows the three API groups that are needed here. client-go's clientset has
// all fifty, and they would be a third of a build from nothing.
type Client struct {
	core, apps, autoscaling rest.Interface
	// streams is the group apps for watches: its answers may take any time.
	streams rest.Interface
}

// newClient makes a client of a whole configuration; the transport has been made
// of it, too.
func newClient(config *rest.Config, transport *http.Client) (*Client, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, autoscalingv2.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register API types: %w", err)
		}
	}
	shared := rest.CopyConfig(config)
	shared.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	// Named, since client-go's own choice depends on its feature gates, which the
	// environment sets.
	shared.ContentType, shared.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	// One for all groups: each would have a limit of its own otherwise.
	shared.RateLimiter = flowcontrol.NewTokenBucketRateLimiter(config.QPS, config.Burst)
	endless := *transport
	endless.Timeout = 0

	var c Client
	for _, group := range []struct {
		client    *rest.Interface
		path      string
		version   schema.GroupVersion
		transport *http.Client
	}{
		{&c.core, "/api", corev1.SchemeGroupVersion, transport},
		{&c.apps, "/apis", appsv1.SchemeGroupVersion, transport},
		{&c.autoscaling, "/apis", autoscalingv2.SchemeGroupVersion, transport},
		{&c.streams, "/apis", appsv1.SchemeGroupVersion, &endless},
	} {
		own := rest.CopyConfig(shared)
		own.APIPath, own.GroupVersion = group.path, &group.version
		made, err := rest.RESTClientForConfigAndClient(own, group.transport)
		if err != nil {
			return nil, fmt.Errorf("API group %s: %w", group.version, err)
		}
		*group.client = made
	}
	return &c, nil
}

// resource is the API's plural of a kind.
func resource(kind string) string { return strings.ToLower(kind) + "s" }

// get reads one object of a group. The error is classified.
func get(ctx context.Context, group rest.Interface, kind, namespace, name string, into runtime.Object) error {
	err := group.Get().Namespace(namespace).Resource(resource(kind)).Name(name).Do(ctx).Into(into)
	if err != nil {
		return readError(err, kind, namespace, name)
	}
	return nil
}

// autoscalers reads the HorizontalPodAutoscalers of a namespace.
func (c *Client) autoscalers(ctx context.Context, namespace string) (*autoscalingv2.HorizontalPodAutoscalerList, error) {
	var list autoscalingv2.HorizontalPodAutoscalerList
	err := c.autoscaling.Get().Namespace(namespace).Resource("horizontalpodautoscalers").Do(ctx).Into(&list)
	return &list, err
}

// patchOnce sends one patch of an object of the group apps, and returns the API
// server's answer as it came.
//
// It is sent once. By default a request is repeated that was answered with 429
// or a 5xx and Retry-After; the second answer, a conflict with the first, would
// then hide that the change was made.
func (c *Client) patchOnce(ctx context.Context, as types.PatchType, kind, namespace, name string, body []byte) ([]byte, error) {
	answer := c.apps.Patch(as).MaxRetries(0).
		Namespace(namespace).Resource(resource(kind)).Name(name).
		Param("fieldManager", fieldManager).
		Body(body).Do(ctx)
	raw, err := answer.Raw()
	if err != nil {
		// Raw's own error does not read why the API server refused.
		err = answer.Error()
	}
	return raw, err
}
