package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/internal/ledger"
	"github.com/tripgen/paramedic/remediators/kubernetes"
)

// collect gathers the evidence, once Paramedic has ended, and leaves it in the
// iteration's folder.
func (s *scene) collect(ctx context.Context, accepted map[string]alert.EpisodeID) (evidence, error) {
	e := evidence{Alerts: accepted, Generations: map[string]int64{}}
	var err error
	if e.Patches, err = s.patches(ctx); err != nil {
		return e, err
	}
	list, err := s.stage.cluster.Client().AppsV1().Deployments(s.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return e, fmt.Errorf("list deployments: %w", err)
	}
	for i := range list.Items {
		d := &list.Items[i]
		e.Generations[d.Name] = d.Generation - s.before[d.Name]
	}
	if e.Events, e.Broken, err = readLedger(ctx, s.dir); err != nil {
		return e, err
	}
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return e, fmt.Errorf("evidence: %w", err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "evidence.json"), text, 0o600); err != nil {
		return e, fmt.Errorf("evidence: %w", err)
	}
	return e, nil
}

// patches are all writes by Paramedic's user in the namespace. Other verbs and
// resources are none of its business, and count as changes without a task.
func (s *scene) patches(ctx context.Context) ([]patch, error) {
	entries, err := s.stage.cluster.Audit(ctx, lab.AuditFilter{User: lab.Paramedic, Namespace: s.namespace})
	if err != nil {
		return nil, err
	}
	patches := make([]patch, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		p := patch{Deployment: e.Name, Code: e.Code}
		if e.Resource != "deployments" {
			p.Deployment = e.Resource + "/" + e.Name
		}
		var body struct {
			Metadata struct {
				Annotations map[string]string `json:"annotations"`
			} `json:"metadata"`
		}
		if e.Verb == "patch" && len(e.Body) > 0 {
			if err := json.Unmarshal(e.Body, &body); err != nil {
				return nil, fmt.Errorf("audit entry %s: %w", e.ID, err)
			}
		}
		p.Task = body.Metadata.Annotations[kubernetes.TaskAnnotation]
		patches = append(patches, p)
	}
	return patches, nil
}

// readLedger folds the ledger that a Paramedic left in its folder, and exports
// it. The error is why it could not be read; broken why it does not verify.
func readLedger(ctx context.Context, dir string) (events []engine.Event, broken string, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	b, err := bus.Open(ctx, bus.Config{Dir: filepath.Join(dir, "data"), Name: "judge"})
	if err != nil {
		return nil, "", fmt.Errorf("the bus that was left: %w", err)
	}
	defer func() { err = errors.Join(err, b.Close(context.WithoutCancel(ctx))) }()
	last, err := b.LedgerLast(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("the ledger that was left: %w", err)
	}
	if last == 0 {
		return nil, "it is empty", nil
	}
	reader, err := b.Ledger(ctx, 1)
	if err != nil {
		return nil, "", fmt.Errorf("the ledger that was left: %w", err)
	}
	defer reader.Close()
	var export bytes.Buffer
	fold := ledger.NewFold()
	for fold.Seq < last {
		m, err := reader.Next(ctx)
		if err != nil {
			broken = fmt.Sprintf("record %d: %v", fold.Seq+1, err)
			break
		}
		export.Write(m.Data)
		export.WriteByte('\n')
		record, err := fold.Take(m.Seq, m.Data)
		if err != nil {
			broken = err.Error()
			break
		}
		events = append(events, record.Events...)
	}
	if err := os.WriteFile(filepath.Join(dir, "ledger.jsonl"), export.Bytes(), 0o600); err != nil {
		return nil, "", fmt.Errorf("export the ledger: %w", err)
	}
	return events, broken, nil
}
