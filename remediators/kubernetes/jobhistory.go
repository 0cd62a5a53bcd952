package kubernetes

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
)

const (
	// historyTimeout is how long the API server is asked to tell what happened. It says
	// how far it has told two seconds before that.
	historyTimeout = 4 * time.Second
	// historyTries is how often it is asked: it may lag behind itself for a moment.
	historyTries = 3
)

// neverWas proves that no object of a name was made since a version at which there was
// none: the API server tells all that happened to it since, and then how far it has
// told. False means that one was there, or that it does not remember as far back.
// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
func (c *Client) neverWas(ctx context.Context, kind, namespace, name, since string) (bool, error) {
	var now metav1.PartialObjectMetadataList
	which := selection{fields: fields.OneTermEqualSelector(metav1.ObjectNameField, name)}
	if err := c.list(ctx, kind, namespace, named(name), which, &now); err != nil {
		return false, err
	}
	upTo, err := strconv.ParseUint(now.ResourceVersion, 10, 64)
	if len(now.Items) > 0 || err != nil {
		return false, nil //nolint:nilerr // a version that is no number cannot be compared
	}
	if now.ResourceVersion == since {
		return true, nil // nothing at all has happened
	}
	for range historyTries {
		r, err := of(c.streams.Get(), kind, namespace)
		if err != nil {
			return false, err
		}
		r = r.Param("fieldSelector", which.fields.String()).Param("resourceVersion", since)
		if told, nothing, err := nothingTold(ctx, r, upTo); told || err != nil {
			return nothing, err
		}
	}
	return false, nil
}

// nothingTold asks for all that happened until a version, and whether that is nothing;
// told is false if the answer ended before it had come so far.
func nothingTold(ctx context.Context, r *rest.Request, upTo uint64) (told, nothing bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, historyTimeout+watchGrace)
	defer cancel()
	stream, err := r.Param("watch", "true").Param("allowWatchBookmarks", "true").
		Param("timeoutSeconds", strconv.Itoa(int(historyTimeout/time.Second))).Stream(ctx)
	if status(err) == http.StatusGone {
		return true, false, nil
	}
	if err != nil {
		return false, false, readError(err, "watch what happened")
	}
	defer func() { _ = stream.Close() }() // it was only read
	for events := json.NewDecoder(stream); ; {
		var e struct {
			Type   watch.EventType              `json:"type"`
			Object metav1.PartialObjectMetadata `json:"object"`
		}
		if err := events.Decode(&e); err != nil {
			return false, false, nil // the end of the answer
		}
		if e.Type != watch.Bookmark {
			return true, false, nil
		}
		if at, err := strconv.ParseUint(e.Object.ResourceVersion, 10, 64); err == nil && at >= upTo {
			return true, true, nil
		}
	}
}
