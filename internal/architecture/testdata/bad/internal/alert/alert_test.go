package alert

import (
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/bus"
)

var fixture = 1

func TestSlowly(t *testing.T) { time.Sleep(time.Second); _ = bus.Open }
