package kubernetes

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/tripgen/paramedic/remediators"
)

// reflect has client-go list and watch one kind until ctx ends: it takes up a watch
// where it broke off, lists again where the API server no longer knows that place,
// and waits longer each time that the cluster is away.
func (w *rolloutWatch) reflect(ctx context.Context, kind string) {
	log := klog.FromContext(ctx)
	cache.NewReflectorWithOptions(w.source(kind), objectOf(kind), &feed{watch: w, kind: kind, done: ctx.Done()},
		cache.ReflectorOptions{Name: "rollouts of " + kind + "s", Logger: &log},
	).RunWithContext(ctx)
}

// do has the loop do a step, unless the watch ends.
func (w *rolloutWatch) do(done <-chan struct{}, s step) {
	select {
	case w.steps <- s:
	case <-done:
	}
}

// feed is the store that a reflector fills. It keeps nothing.
type feed struct {
	watch *rolloutWatch
	kind  string
	done  <-chan struct{}
}

// Add implements [cache.ReflectorStore].
func (f *feed) Add(object any) error {
	s, err := sightOf(object)
	if err != nil {
		return err
	}
	f.watch.do(f.done, func(ctx context.Context) error { return f.watch.saw(ctx, s) })
	return nil
}

// Update implements [cache.ReflectorStore].
func (f *feed) Update(object any) error { return f.Add(object) }

// Delete implements [cache.ReflectorStore].
func (f *feed) Delete(object any) error {
	s, err := sightOf(object)
	if err != nil {
		return err
	}
	f.watch.do(f.done, func(context.Context) error { return f.watch.gone(s.uid) })
	return nil
}

// Replace implements [cache.ReflectorStore]: it is a list of all that there are.
func (f *feed) Replace(objects []any, _ string) error {
	all := make([]sight, 0, len(objects))
	for _, object := range objects {
		s, err := sightOf(object)
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	f.watch.do(f.done, func(ctx context.Context) error { return f.watch.only(ctx, f.kind, all) })
	return nil
}

// Resync implements [cache.ReflectorStore].
func (f *feed) Resync() error { return nil }

// source sends a reflector's requests, and sees how each fares: a reflector itself
// does not tell when it tries again.
type source struct{ *cache.ListWatch }

// IsWatchListSemanticsUnSupported makes the reflector list and then watch, and not
// list by a watch, which the environment can turn on and off.
func (source) IsWatchListSemanticsUnSupported() bool { return true }

// watchGrace is how much longer than it was asked for a watch may last, before it
// counts as one whose other end is gone.
const watchGrace = 30 * time.Second

func (w *rolloutWatch) source(kind string) source {
	narrow := func(o metav1.ListOptions) *metav1.ListOptions {
		if w.options.Name != "" {
			o.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, w.options.Name).String()
		}
		return &o
	}
	return source{&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			r, err := of(w.client.api.Get(), kind, w.options.Namespace)
			if err != nil {
				return nil, err
			}
			list, err := r.VersionedParams(narrow(o), metav1.ParameterCodec).Do(ctx).Get()
			if err != nil {
				w.asked(ctx, "list", kind, err)
			}
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.Watch = true
			r, err := of(w.client.streams.Get(), kind, w.options.Namespace)
			if err != nil {
				return nil, err
			}
			bounded, cancel := context.WithTimeout(ctx, time.Duration(*o.TimeoutSeconds)*time.Second+watchGrace)
			events, err := r.VersionedParams(narrow(o), metav1.ParameterCodec).Watch(bounded)
			w.asked(ctx, "watch", kind, err)
			if err != nil {
				cancel()
				return nil, err
			}
			return stream{Interface: events, cancel: cancel}, nil
		},
	}}
}

// stream is a watch that frees its context.
type stream struct {
	watch.Interface

	cancel context.CancelFunc
}

// Stop implements [watch.Interface].
func (s stream) Stop() {
	s.Interface.Stop()
	s.cancel()
}

// asked takes in how a request fared. A watch that begins has told all before it.
func (w *rolloutWatch) asked(ctx context.Context, verb, kind string, err error) {
	switch {
	case ctx.Err() != nil:
	case apierrors.IsForbidden(err):
		w.end(remediators.Terminal("watch rollouts: may not %s %s of API group apps: %w; give its user this right, or the whole role that the watch needs",
			verb, kind+"s", err))
	case err != nil:
		w.do(ctx.Done(), func(context.Context) error {
			w.trouble[kind] = fmt.Errorf("%s %s: %w", verb, kind+"s", err)
			return nil
		})
	default:
		w.do(ctx.Done(), func(context.Context) error {
			delete(w.trouble, kind)
			return nil
		})
	}
}
