package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	appsclient "k8s.io/client-go/kubernetes/typed/apps/v1"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/receiver/alertmanager/webhook"
)

// sceneWithin bounds an iteration, which takes seconds on an idle machine.
const sceneWithin = 4 * time.Minute

// The rule has no second rung: what one attempt does not cure is a violation.
const rulesFile = `apiVersion: paramedic.dev/v1
kind: RuleSet
metadata: {name: crash}
spec:
  rules:
    - name: service-down
      on: {alerts: ['alertname="ServiceDown"']}
      target: {cluster: lab, namespace: "${alert.labels.namespace}", deployment: "${alert.labels.deployment}"}
      mode: auto
      try:
        - name: restart
          do: [{kubernetes.restart: {}}]
          retry: {max: 10, backoff: 200ms}
          verify:
            - rollout: complete
            - alert: resolved
          within: 5m
          stable: 200ms
`

const configFile = `listen: 127.0.0.1:0
data: data
rules: [rules.yaml]
sources:
  - {name: alertmanager, type: alertmanager, auth: {bearer: {file: token}}}
clusters:
  lab: {kubeconfig: %s}
worker: {concurrency: 4}
`

// groups are the deployments whose alerts travel in one webhook.
func groups() [][]string { return [][]string{{"profile", "itinerary"}, {"place"}} }

// scene is one iteration.
type scene struct {
	stage     *stage
	plan      plan
	dir       string
	namespace string
	keeper    *keeper
	sender    *sender
	// before are the deployments' generations at the beginning.
	before map[string]int64
}

// outcome is what became of an iteration.
type outcome struct {
	Plan       plan
	Died       []kill
	Lives      int
	Evidence   evidence
	Violations []string
	Dir        string
	Took       time.Duration
}

// play runs one iteration from an empty folder to the judgement. The error says
// that there is nothing to judge; what Paramedic did wrong is in the outcome.
func (st *stage) play(ctx context.Context, p plan) (o outcome, err error) {
	started := time.Now()
	s := &scene{stage: st, plan: p, dir: filepath.Join(st.folder, p.String()), before: map[string]int64{}}
	listener, err := s.prepare(ctx)
	if err != nil {
		return outcome{}, fmt.Errorf("%s: %w", p, err)
	}
	defer func() { err = errors.Join(err, listener.Close(), s.strike(context.WithoutCancel(ctx))) }()
	acting, cancel := context.WithTimeoutCause(ctx, sceneWithin, fmt.Errorf("not over within %v", sceneWithin))
	defer cancel()
	accepted, failed := s.act(acting)
	if err := ctx.Err(); err != nil {
		return outcome{}, fmt.Errorf("%s: %w", p, err)
	}
	o = outcome{Plan: p, Died: s.keeper.died, Lives: s.keeper.lives, Dir: s.dir, Took: time.Since(started)}
	if o.Evidence, err = s.collect(ctx, accepted); err != nil {
		failed = errors.Join(failed, err)
	} else {
		o.Violations = judge(o.Evidence)
	}
	if failed != nil {
		o.Violations = append(o.Violations, failed.Error())
	}
	return o, nil
}

// prepare makes the folder, the namespace and its deployments, and takes a port.
func (s *scene) prepare(ctx context.Context) (*net.TCPListener, error) {
	token := rand.Text()
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("folder: %w", err)
	}
	text, err := json.Marshal(s.plan)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	for name, content := range map[string]string{
		"paramedic.yaml": fmt.Sprintf(configFile, s.stage.kubeconfig), "rules.yaml": rulesFile, "token": token, "plan.json": string(text),
	} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600); err != nil {
			return nil, fmt.Errorf("file: %w", err)
		}
	}
	if err := s.deploy(ctx); err != nil {
		return nil, err
	}
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.keeper = newKeeper(s.stage.program, s.dir, listener, s.plan.Kills)
	s.sender = newSender(listener.Addr().String(), token)
	return listener, nil
}

func (s *scene) deploy(ctx context.Context) error {
	made, err := s.stage.cluster.Client().CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "crash-"}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("namespace: %w", err)
	}
	s.namespace = made.Name
	for _, name := range slices.Concat(groups()...) {
		d := lab.Deployment(s.namespace, name, 1)
		if _, err := s.deployments().Create(ctx, d, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("deployment: %w", err)
		}
	}
	for _, name := range slices.Concat(groups()...) {
		if err := s.stage.cluster.WaitAvailable(ctx, lab.Deployment(s.namespace, name, 1)); err != nil {
			return err
		}
		d, err := s.deployments().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("deployment: %w", err)
		}
		s.before[name] = d.Generation
	}
	return nil
}

// strike takes the deployments down, so that the nodes do not fill up.
func (s *scene) strike(ctx context.Context) error {
	err := s.stage.cluster.Client().CoreV1().Namespaces().Delete(ctx, s.namespace, metav1.DeleteOptions{})
	if err != nil {
		return fmt.Errorf("namespace: %w", err)
	}
	return nil
}

// act lets Paramedic live, and the alerts come and go. It returns the alerts
// that were accepted while they fired.
func (s *scene) act(ctx context.Context) (map[string]alert.EpisodeID, error) {
	go s.keeper.run() // ends with close
	// Whatever goes wrong in one place ends the rest.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		select {
		case <-s.keeper.ended:
			cancel(errors.New("nobody is there to alert any more"))
		case <-ctx.Done():
		}
	}()
	accepted, err := s.tell(ctx)
	cancel(err)
	<-watching
	return accepted, errors.Join(err, s.keeper.close())
}

// tell plays Alertmanager's part for every group at once.
func (s *scene) tell(ctx context.Context) (map[string]alert.EpisodeID, error) {
	accepted := map[string]alert.EpisodeID{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	ends, errs := make([][]webhook.Alert, len(groups())), make([]error, len(groups()))
	for i, names := range groups() {
		wg.Go(func() {
			alerts := make([]webhook.Alert, len(names))
			for j, name := range names {
				alerts[j] = newAlert(s.namespace, name, time.Now())
			}
			if errs[i] = s.sender.deliver(ctx, alerts); errs[i] != nil {
				return
			}
			mu.Lock()
			for _, a := range alerts {
				accepted[deploymentOf(a)] = a.Episode(sourceName)
			}
			mu.Unlock()
			errs[i] = s.untilHealed(ctx, alerts)
			ends[i] = alerts
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return accepted, err
	}
	if err := s.keeper.settle(ctx, len(accepted)); err != nil {
		return accepted, err
	}
	// What was on its way from another replica all the while comes in the end.
	for _, alerts := range ends {
		late := slices.Clone(alerts)
		for i := range late {
			late[i].Status, late[i].EndsAt = alert.Firing, time.Time{}
		}
		if err := errors.Join(s.sender.deliver(ctx, late), s.sender.deliver(ctx, alerts)); err != nil {
			return accepted, err
		}
	}
	return accepted, s.keeper.settle(ctx, len(accepted))
}

// untilHealed repeats the alerts, and resolves each once its deployment has
// rolled out anew.
func (s *scene) untilHealed(ctx context.Context, alerts []webhook.Alert) error {
	told := time.Now()
	return poll(ctx, pollEvery, func() (bool, error) {
		firing, changed := 0, false
		for i := range alerts {
			if alerts[i].Status == alert.Resolved {
				continue
			}
			d, err := s.deployments().Get(ctx, deploymentOf(alerts[i]), metav1.GetOptions{})
			if err != nil {
				return false, fmt.Errorf("deployment: %w", err)
			}
			if d.Generation > s.before[d.Name] && rolledOut(d) {
				alerts[i].Status, alerts[i].EndsAt, changed = alert.Resolved, time.Now().UTC(), true
				continue
			}
			firing++
		}
		if !changed && time.Since(told) < repeatEvery {
			return false, nil
		}
		told = time.Now()
		return firing == 0, s.sender.deliver(ctx, alerts)
	})
}

func rolledOut(d *appsv1.Deployment) bool {
	st := &d.Status
	return st.ObservedGeneration >= d.Generation && st.Replicas == *d.Spec.Replicas &&
		st.UpdatedReplicas == st.Replicas && st.AvailableReplicas == st.Replicas
}

func (s *scene) deployments() appsclient.DeploymentInterface {
	return s.stage.cluster.Client().AppsV1().Deployments(s.namespace)
}
