// Package engine of this tree knows the world, the time and those above it.
package engine

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	clock "time"

	"github.com/nats-io/nats.go"
	"github.com/unheard/of"
	"github.com/tripgen/paramedic/internal/alert"
	"github.com/tripgen/paramedic/internal/bus"
)

var (
	_     alert.Source = nil
	count int
	cache = map[string]string{}
)

func init() { count = rand.Int() }

func decide() {
	go func() { clock.Sleep(clock.Second) }()
	_ = clock.Now()
	_, _, _, _ = http.DefaultClient, url.URL{}, nats.Connect, of.Course
	_ = bus.Open
	clock := struct{ Now func() }{}
	clock.Now()
}
