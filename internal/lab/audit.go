package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// AuditEntry is one change that somebody asked the API server for, with its outcome. Source of the format:
// audit.k8s.io/v1, https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
type AuditEntry struct {
	ID          string
	User        string
	UserAgent   string
	Verb        string // create, update, patch, delete, deletecollection
	Group       string // of the API; empty for the core
	Resource    string // in the plural, such as deployments
	Subresource string // scale, eviction, or empty
	Namespace   string
	Name        string
	URI         string          // with its query, where dry runs and field managers show
	Code        int             // the HTTP status
	Body        json.RawMessage // of the request, as JSON; empty if there was none or it was refused unread
	ReceivedAt  time.Time
}

// AuditFilter chooses entries. An empty field matches everything.
type AuditFilter struct {
	User, Verb, Resource, Subresource, Namespace, Name string
	// DryRuns asks for what changed nothing, too.
	DryRuns bool
}

func (f AuditFilter) matches(e *AuditEntry) bool {
	if !f.DryRuns && strings.Contains(e.URI, "dryRun=All") {
		return false
	}
	for _, pair := range [][2]string{
		{f.User, e.User},
		{f.Verb, e.Verb},
		{f.Resource, e.Resource},
		{f.Subresource, e.Subresource},
		{f.Namespace, e.Namespace},
		{f.Name, e.Name},
	} {
		if pair[0] != "" && pair[0] != pair[1] {
			return false
		}
	}
	return true
}

// AuditLog is the path of the API server's audit log, one JSON object a line. It has every create, update, patch and
// delete of Deployments, StatefulSets, DaemonSets, their scale, Jobs, CronJobs, Services, nodes and evictions, every update, patch and delete
// of pods, their resize and VerticalPodAutoscalers, by anyone, also if refused; status reports are left out.
func (c *Cluster) AuditLog() string { return filepath.Join(c.folder, "audit.log") }

// Audit returns the recorded changes that match, in the order in which they were received. Every change whose
// request the API server had begun to serve before the call is among them: where one is still being served, the call
// waits for its outcome as long as the context lasts.
func (c *Cluster) Audit(ctx context.Context, filter AuditFilter) ([]AuditEntry, error) {
	var entries []AuditEntry
	err := poll(ctx, func(context.Context) error {
		log, half, err := c.audit.read(c.AuditLog())
		if err != nil {
			return final(err)
		}
		var open string
		if entries, open = settled(log, filter); half {
			open = "of a line half written"
		}
		if open != "" {
			return fmt.Errorf("request %s is still being served", open)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("lab: audit log: %w", err)
	}
	return entries, nil
}

// auditLog is what was read of the log so far: it grows all the time, and is looked at
// often.
type auditLog struct {
	mu     sync.Mutex
	lines  []auditLine
	offset int64
}

type auditLine struct {
	entry AuditEntry
	// received says that the request has no outcome yet.
	received bool
}

// read reads what is new, and gives all lines. half says that the last one is not
// written to its end.
func (l *auditLog) read(path string) (lines []auditLine, half bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	file, err := os.Open(path) //nolint:gosec // the lab's own
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	log, err := io.ReadAll(io.NewSectionReader(file, l.offset, math.MaxInt64-l.offset))
	if err != nil {
		return nil, false, err
	}
	for len(log) > 0 {
		line, rest, whole := bytes.Cut(log, []byte("\n"))
		if !whole {
			return l.lines, true, nil
		}
		var event auditEvent
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, false, fmt.Errorf("line %d: %w", len(l.lines)+1, err)
		}
		l.lines = append(l.lines, auditLine{event.entry(), event.Stage == "RequestReceived"})
		l.offset += int64(len(line)) + 1
		log = rest
	}
	return l.lines, false, nil
}

type auditEvent struct {
	AuditID    string `json:"auditID"`
	Stage      string `json:"stage"`
	Verb       string `json:"verb"`
	RequestURI string `json:"requestURI"`
	UserAgent  string `json:"userAgent"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
		APIGroup    string `json:"apiGroup"`
		Subresource string `json:"subresource"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	RequestObject            json.RawMessage `json:"requestObject"`
	RequestReceivedTimestamp time.Time       `json:"requestReceivedTimestamp"`
}

// settled returns the finished entries of the log that match, and the id of some request that may match and has no
// outcome yet.
func settled(log []auditLine, filter AuditFilter) (entries []AuditEntry, open string) {
	pending := map[string]bool{}
	for i := range log {
		entry := &log[i].entry
		if log[i].received {
			wider := filter
			if entry.Name == "" {
				wider.Name = "" // the name of a new object stands in its body, which is not read yet
			}
			if wider.matches(entry) {
				pending[entry.ID] = true
			}
			continue
		}
		delete(pending, entry.ID)
		if filter.matches(entry) {
			entries = append(entries, *entry)
		}
	}
	for id := range pending {
		return nil, id
	}
	slices.SortStableFunc(entries, func(a, b AuditEntry) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
	return entries, ""
}

func (e *auditEvent) entry() AuditEntry {
	return AuditEntry{
		ID: e.AuditID, User: e.User.Username, UserAgent: e.UserAgent, Verb: e.Verb,
		Group: e.ObjectRef.APIGroup, Resource: e.ObjectRef.Resource, Subresource: e.ObjectRef.Subresource,
		Namespace: e.ObjectRef.Namespace, Name: e.ObjectRef.Name, URI: e.RequestURI,
		Code: e.ResponseStatus.Code, Body: e.RequestObject, ReceivedAt: e.RequestReceivedTimestamp,
	}
}
