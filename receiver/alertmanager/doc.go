// Package alertmanager decodes the webhooks of Prometheus Alertmanager,
// version 4 of the format, and older bodies of the same shape.
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
//
// What identifies an alert (labels, fingerprint, status, start) is read
// strictly; what only describes it (annotations, end, URL) is read loosely, with
// a warning, as a missing word must not keep an alert from being handled. An
// alert that cannot be used is refused by itself; what is not sound JSON, a
// repeated key included, refuses the whole body, as nothing behind it is certain.
// Unknown keys are fine. Each alert's own status counts, never the group's: that
// one is worked out after max_alerts has cut the list.
//
// A sender that gives no fingerprint, or the same one to different labels, has
// its alerts identified by a hash of their labels. The second can only be seen
// within one body: such a sender should be mended.
//
// # Use
//
// [Decoder] is a value for receiver.Source. It is pure and safe for concurrent
// use. With a [Dialect] it reads the bodies of others who took over the shape.
//
// # Testing
//
// Tables and a fuzz target; and, where the collection of real bodies is present
// beside the repository, all of it.
package alertmanager
