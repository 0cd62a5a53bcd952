package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/tripgen/paramedic/remediators"
)

// fieldManager names Paramedic in an object's managedFields.
const fieldManager = "paramedic"

// Client sends requests to the API server of one cluster. It is made by [Connect].
//
// It names resources by their path and decodes them as what they are: client-go's
// clientset has all fifty API groups, and they would be a third of a build from
// nothing.
type Client struct {
	api rest.Interface
	// streams is for watches: its answers may take any time.
	streams rest.Interface
}

// newClient makes a client of a whole configuration; the transport has been made
// of it, too.
func newClient(config *rest.Config, transport *http.Client) (*Client, error) {
	// What a watch decodes; the rest is read as JSON.
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("register API types: %w", err)
		}
	}
	shared := rest.CopyConfig(config)
	shared.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	// Named, since client-go's own choice depends on its feature gates, which the
	// environment sets.
	shared.ContentType, shared.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	// One for both: each would have a limit of its own otherwise.
	shared.RateLimiter = flowcontrol.NewTokenBucketRateLimiter(config.QPS, config.Burst)
	shared.APIPath, shared.GroupVersion = "/apis", &appsv1.SchemeGroupVersion
	endless := *transport
	endless.Timeout = 0

	var c Client
	for _, made := range []struct {
		client    *rest.Interface
		transport *http.Client
	}{{&c.api, transport}, {&c.streams, &endless}} {
		client, err := rest.RESTClientForConfigAndClient(rest.CopyConfig(shared), made.transport)
		if err != nil {
			return nil, err
		}
		*made.client = client
	}
	return &c, nil
}

// of points a request at the objects of a kind.
func of(r *rest.Request, kind, namespace string) (*rest.Request, error) {
	p, err := placeOf(kind)
	if err != nil {
		return nil, err
	}
	return r.AbsPath(p.path()).NamespaceIfScoped(namespace, !p.clusterWide && namespace != "").Resource(p.resource), nil
}

// get reads one object. The error is classified.
func (c *Client) get(ctx context.Context, kind, namespace, name string, into any) error {
	r, err := of(c.api.Get(), kind, namespace)
	if err != nil {
		return err
	}
	if err := read(ctx, r.Name(name), into); err != nil {
		return readError(err, fmt.Sprintf("get %s %s/%s", kind, namespace, name))
	}
	return nil
}

// selection narrows a list; the zero value takes all.
type selection struct {
	labels labels.Selector
	fields fields.Selector
}

// list reads the objects of a kind, of all namespaces if that is empty. The error is
// classified, and says whose objects they are.
func (c *Client) list(ctx context.Context, kind, namespace string, whose fmt.Stringer, s selection, into any) error {
	r, err := of(c.api.Get(), kind, namespace)
	if err != nil {
		return err
	}
	if s.labels != nil {
		r = r.Param("labelSelector", s.labels.String())
	}
	if s.fields != nil {
		r = r.Param("fieldSelector", s.fields.String())
	}
	if err := read(ctx, r, into); err != nil {
		return readError(err, fmt.Sprintf("list %ss of %s", kind, whose))
	}
	return nil
}

// read sends a request that changes nothing, and decodes the answer.
func read(ctx context.Context, r *rest.Request, into any) error {
	answer := r.Do(ctx)
	raw, err := answer.Raw()
	if err != nil {
		return answer.Error() // Raw's own does not read why
	}
	return json.Unmarshal(raw, into)
}

// conflictError is the API server's word that the object was written since: it
// refused the change, unless something on the way had sent it twice.
type conflictError struct{ error }

func (e conflictError) Unwrap() error { return e.error }

// write sends a request that changes something, once, and returns the answer as it
// came. The error is classified, or a conflictError; what names the request for it.
//
// By default a request is repeated that was answered with 429 or a 5xx and
// Retry-After; the second answer, a conflict with the first, would then hide that
// the change was made.
func write(ctx context.Context, r *rest.Request, what string) ([]byte, error) {
	// Until a connection is there, nothing can have been sent on it.
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	answer := r.MaxRetries(0).Do(ctx)
	raw, err := answer.Raw()
	if err == nil {
		return raw, nil
	}
	err = fmt.Errorf("%s: %w", what, answer.Error())
	switch code := status(err); {
	case code == 0 && !connected.Load(), code == http.StatusTooManyRequests:
		return nil, remediators.Retryable(retryAfter(err), "%w", err)
	case code == http.StatusConflict:
		return nil, conflictError{err}
	case refused(code):
		return nil, remediators.Terminal("%w", err)
	default:
		return nil, remediators.UnknownOutcome("%w", err)
	}
}
