package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
}

func (f AuditFilter) matches(e *AuditEntry) bool {
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
		log, err := os.ReadFile(c.AuditLog())
		if err != nil {
			return final(err)
		}
		var open string
		if entries, open, err = decodeAudit(log, filter); err != nil {
			return final(err)
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

// decodeAudit returns the finished entries of the log that match, and the id of some request that may match and has
// no outcome yet.
func decodeAudit(log []byte, filter AuditFilter) (entries []AuditEntry, open string, err error) {
	pending := map[string]bool{}
	for number := 1; len(log) > 0; number++ {
		line, rest, whole := bytes.Cut(log, []byte("\n"))
		if !whole {
			return nil, "of a line half written", nil
		}
		log = rest
		var event auditEvent
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, "", fmt.Errorf("line %d: %w", number, err)
		}
		entry := event.entry()
		if event.Stage == "RequestReceived" {
			wider := filter
			if entry.Name == "" {
				wider.Name = "" // the name of a new object stands in its body, which is not read yet
			}
			if wider.matches(&entry) {
				pending[entry.ID] = true
			}
			continue
		}
		delete(pending, entry.ID)
		if filter.matches(&entry) {
			entries = append(entries, entry)
		}
	}
	for id := range pending {
		return nil, id, nil
	}
	slices.SortStableFunc(entries, func(a, b AuditEntry) int { return a.ReceivedAt.Compare(b.ReceivedAt) })
	return entries, "", nil
}

func (e *auditEvent) entry() AuditEntry {
	return AuditEntry{
		ID: e.AuditID, User: e.User.Username, UserAgent: e.UserAgent, Verb: e.Verb,
		Group: e.ObjectRef.APIGroup, Resource: e.ObjectRef.Resource, Subresource: e.ObjectRef.Subresource,
		Namespace: e.ObjectRef.Namespace, Name: e.ObjectRef.Name, URI: e.RequestURI,
		Code: e.ResponseStatus.Code, Body: e.RequestObject, ReceivedAt: e.RequestReceivedTimestamp,
	}
}
