package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tripgen/paramedic/internal/config"
)

// TestTheOrderOfAShutdown: nobody may end before those who still need it.
func TestTheOrderOfAShutdown(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "paramedic.yaml")
	text := "listen: 127.0.0.1:0\nrules: []\nsources: [{name: am, type: alertmanager, auth: none}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, config.ProcessEnv())
	if err != nil {
		t.Fatal(err)
	}
	a, err := Start(t.Context(), Options{Config: cfg, Version: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, s := range slices.Backward(a.life.steps) {
		order = append(order, s.name)
	}
	want := []string{"http server", "receiver", "triggers", "worker of group default-verify", "worker of group default", "engine", "reporters", "bus"}
	if !slices.Equal(order, want) {
		t.Errorf("ends in the order %v, want %v", order, want)
	}
	if err := a.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}
