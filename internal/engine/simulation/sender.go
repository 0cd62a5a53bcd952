package simulation

import (
	"fmt"
	"time"

	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/engine"
)

// series is one alerting series of an Alertmanager-like sender.
type series struct {
	w              *world
	name, on, zone string
	canonical      string
	// noise fires and resolves without regard to the target.
	noise  bool
	firing bool
	start  time.Time
}

func newSeries() []*series {
	var all []*series
	for i := range gateway {
		svc, zone := fmt.Sprintf("svc-%d", i), zoneOf(i)
		all = append(all,
			&series{name: "Down", on: fmt.Sprintf("pod-%d-1", i), zone: zone, canonical: svc},
			&series{name: "Down", on: fmt.Sprintf("pod-%d-2", i), zone: zone, canonical: svc},
			&series{name: "Down", on: svc, zone: zone, canonical: svc},
			&series{name: "Slow", on: svc, zone: zone, canonical: svc},
			&series{name: "Wide", on: svc, zone: zone, canonical: svc},
			&series{name: "Noise", on: svc, zone: zone, canonical: svc, noise: true},
			&series{name: "Deploy", on: svc, zone: zone, canonical: svc, noise: true},
			&series{name: night, on: svc, zone: zone, canonical: svc, noise: true},
		)
	}
	last := fmt.Sprintf("svc-%d", gateway)
	return append(all,
		// The same service in the other zone's group.
		&series{name: "Wide", on: "pod-1-1", zone: zoneOf(0), canonical: "svc-1"},
		// A second schedule for one service.
		&series{name: night, on: "pod-1-1", zone: zoneOf(1), canonical: "svc-1", noise: true},
		&series{name: "Region", on: last, zone: zoneOf(0), canonical: last},
		&series{name: "Region", on: last, zone: zoneOf(1), canonical: last},
		&series{name: "Odd", canonical: "svc-0"},
		&series{name: "Nobody", on: "svc-1", canonical: "svc-1"},
	)
}

func zoneOf(service int) string { return fmt.Sprintf("z%d", service%2) }

// pickDelay is short mostly, and long at times.
func (w *world) pickDelay() time.Duration {
	return pick(w, time.Second, 10*time.Second, time.Minute, 3*time.Minute)
}

// senders has services break and alerts flap until the world calms down.
func (w *world) senders() {
	for _, s := range w.series {
		s.w = w
	}
	for range 4 + w.rng.IntN(12) {
		t := w.targets[fmt.Sprintf("svc-%d", w.rng.IntN(services))]
		w.after(w.between(0, chaos*3/4), t.breakDown)
		if w.chance(0.3) {
			w.after(w.between(0, chaos), t.heal) // by itself
		}
	}
	for _, s := range w.series {
		switch {
		case s.name == night && w.chance(0.6):
			w.after(w.between(0, chaos/2), func() { s.nights(1 + w.rng.IntN(4)) })
		case s.noise && s.name != night && w.chance(0.5):
			w.after(w.between(0, chaos/2), func() { s.flap(1 + w.rng.IntN(8)) })
		}
	}
	for range w.rng.IntN(int(60*w.odds.changes) + 1) {
		t := w.targets[fmt.Sprintf("svc-%d", w.rng.IntN(services))]
		shape := w.rng.IntN(2)
		w.after(w.between(0, chaos), func() { t.foreign(shape == 1) })
	}
	for range w.rng.IntN(12) {
		t := w.targets[fmt.Sprintf("svc-%d", w.rng.IntN(services))]
		w.after(w.between(0, chaos), t.shift)
	}
}

// fire begins an episode, if none is on.
func (s *series) fire() {
	if s.firing || s.w.calm {
		return
	}
	s.firing, s.start = true, s.w.now.Truncate(time.Millisecond)
	s.repeat(s.start)
}

// repeat notifies, and again as long as the episode lasts.
func (s *series) repeat(start time.Time) {
	if !s.firing || !s.start.Equal(start) || s.w.calm {
		return
	}
	s.notify(alert.Firing, start)
	s.w.after(s.w.between(90*time.Second, 5*time.Minute), func() { s.repeat(start) })
}

// end resolves the episode that is on, and says so unless silent.
func (s *series) end(silent bool) {
	was := s.firing
	s.firing = false
	if was && !silent {
		s.notify(alert.Resolved, s.start)
	}
}

func (s *series) flap(times int) {
	if s.w.calm || times == 0 {
		return
	}
	if s.firing {
		// At times the next firing is there before the resolve was told.
		s.end(s.w.chance(0.3))
	} else {
		s.fire()
	}
	s.w.after(s.w.between(time.Second, s.w.pickDelay()), func() { s.flap(times - 1) })
}

// notify sends one notification, maybe from two replicas.
func (s *series) notify(status alert.Status, start time.Time) {
	a := s.alert(status, start)
	replicas := 1
	if s.w.trouble(s.w.odds.duplicate) {
		replicas = 2
	}
	for range replicas {
		if s.w.trouble(s.w.odds.lost) {
			continue
		}
		s.w.after(s.w.between(0, s.w.pickDelay()), func() { s.w.receive(a) })
	}
}

func (s *series) fingerprint() string { return s.name + s.on + s.zone }

func (s *series) alert(status alert.Status, start time.Time) alert.Alert {
	return alert.Alert{
		Source: "am", Fingerprint: s.fingerprint(), Name: s.name, Status: status,
		Labels: map[string]string{"on": s.on, "zone": s.zone, "svc": s.canonical}, StartsAt: start,
	}
}

// receive is the receiver: each request is a delivery, and what comes together
// is committed as one message of several lines.
func (w *world) receive(alerts ...alert.Alert) {
	in := engine.Input{Delivery: &alert.Delivery{ID: w.id("d"), Source: "am", ReceivedAt: w.now, Alerts: alerts}}
	if !w.chance(0.3) {
		w.deliver(in)
		return
	}
	more := engine.Input{Delivery: &alert.Delivery{ID: w.id("d"), Source: "am", ReceivedAt: w.now, Alerts: append(w.others(alerts[0]), alerts...)}}
	w.deliver(in, more)
}

// others are firings that happen to be notified at the same time.
func (w *world) others(but alert.Alert) []alert.Alert {
	var found []alert.Alert
	for _, s := range w.series {
		if s.firing && s.fingerprint() != but.Fingerprint && w.chance(0.1) {
			found = append(found, s.alert(alert.Firing, s.start))
		}
	}
	if w.chance(0.02) {
		found = append(found, alert.Alert{Source: "am", Name: "Invalid", Status: alert.Firing})
	}
	return found
}
