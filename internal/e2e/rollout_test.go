package e2e_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
)

// validating is a rule that looks at every deployment of a namespace, and rolls back
// one that is not well in time.
const validating = `apiVersion: paramedic.dev/v1
kind: RuleSet
metadata: {name: deployments}
spec:
  rules:
    - name: validate
      on: {rollout: {cluster: lab, namespace: %s, kind: Deployment, phase: started}}
      target: {cluster: lab, namespace: %[1]s, deployment: "${alert.labels.deployment}"}
      mode: auto
      try:
        - name: validate
          verify: [{rollout: complete}]
          within: 8s
          stable: 500ms
        - name: roll-back
          do: [{kubernetes.rollback: {}}]
          verify: [{rollout: complete}]
          within: 30s
          stable: 500ms
`

// testRollouts: a deployment that becomes ready is left alone, and one that does not
// is rolled back, once; the roll-back, a rollout as well, sets off nothing more.
func (w *world) testRollouts(t *testing.T) {
	s := w.scene(t)
	own := *w
	own.paramedic = startParamedic(t, w.program, w.kubeconfigs, fmt.Appendf(nil, validating, s.namespace))
	s.world = &own

	s.deploy(lab.Deployment(s.namespace, "profile-service", 2))
	if r := s.ended(1)[0]; r.Outcome != engine.Cured || r.Attempt != 1 {
		t.Errorf("a good deployment ends as %+v", r)
	}
	good := s.deployment("profile-service")

	bad := fmt.Sprintf(`{"spec": {"template": {"metadata": {"labels": {%q: %q}}, "spec": {"containers": [{"name": "main", "image": "registry.invalid/profile-service:2"}]}}}}`,
		lab.BehaviourLabel, lab.NeverReady)
	if _, err := s.cluster.Client().AppsV1().Deployments(s.namespace).Patch(s.ctx, good.Name, types.StrategicMergePatchType, []byte(bad), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	s.eventually(func() error {
		if image := s.deployment(good.Name).Spec.Template.Spec.Containers[0].Image; image != good.Spec.Template.Spec.Containers[0].Image {
			return errors.New("the image is still " + image)
		}
		return nil
	})
	for _, r := range s.ended(2) {
		if r.Outcome != engine.Cured {
			t.Errorf("%+v", r)
		}
	}
	if err := s.cluster.WaitAvailable(s.ctx, good); err != nil {
		t.Error(err)
	}
	if now := s.deployment(good.Name); now.Spec.Template.String() != good.Spec.Template.String() {
		t.Errorf("the template is %s, want %s", now.Spec.Template.String(), good.Spec.Template.String())
	}
	if change := s.changedOnce(good.Name); !strings.Contains(string(change.Body), "registry.invalid/profile-service:1") {
		t.Errorf("changed by %s", change.Body)
	}
	s.decided()
	s.ended(2)
}
