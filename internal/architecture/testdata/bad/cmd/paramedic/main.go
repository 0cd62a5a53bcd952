// Command paramedic of this tree reaches past the wiring into the parts that it should not know.
package main

import (
	_ "embed"

	"github.com/tripgen/paramedic/internal/bus"
)

var version = ""

//go:embed main.go
var source string

func main() { _ = bus.Open }
