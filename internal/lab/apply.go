package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
)

const (
	fieldManager  = "paramedic-lab"
	yamlLookahead = 4096
)

// Apply applies manifests, YAML or JSON with any number of documents, as the administrator, by server-side apply: a
// role to be proved, say, or a CustomResourceDefinition. A document without a namespace goes to "default" if its
// kind has one. It stops at the first document that fails.
func (c *Cluster) Apply(ctx context.Context, manifests []byte) error {
	client, err := dynamic.NewForConfig(c.admin)
	if err != nil {
		return fmt.Errorf("lab: apply: %w", err)
	}
	// Discovered anew by each call, since an earlier one may have added kinds.
	groups, err := restmapper.GetAPIGroupResources(c.client.Discovery())
	if err != nil {
		return fmt.Errorf("lab: apply: discover kinds: %w", err)
	}
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifests), yamlLookahead)
	for n := 1; ; n++ {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("lab: apply: document %d: %w", n, err)
		}
		if len(object.Object) == 0 {
			continue // nothing but comments
		}
		if err := applyOne(ctx, client, mapper, object); err != nil {
			return fmt.Errorf("lab: apply: document %d, %s %s: %w", n, object.GetKind(), object.GetName(), err)
		}
	}
}

func applyOne(ctx context.Context, client dynamic.Interface, mapper meta.RESTMapper, object *unstructured.Unstructured) error {
	kind := object.GroupVersionKind()
	mapping, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return fmt.Errorf("find kind: %w", err)
	}
	var resource dynamic.ResourceInterface = client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		if object.GetNamespace() == "" {
			object.SetNamespace(metav1.NamespaceDefault)
		}
		resource = client.Resource(mapping.Resource).Namespace(object.GetNamespace())
	}
	if _, err := resource.Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: fieldManager, Force: true}); err != nil {
		return fmt.Errorf("server-side apply: %w", err)
	}
	return nil
}
