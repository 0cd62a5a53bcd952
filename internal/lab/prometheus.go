package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/tripgen/paramedic/internal/lab/binaries"
)

// PrometheusOptions say what a Prometheus is to be.
type PrometheusOptions struct {
	// Rules are the paths of its rule files, which may hold patterns.
	Rules []string
	// Targets are what it scrapes at /metrics: host:port, by job.
	Targets map[string][]string
	// Alertmanagers are the addresses, host:port, of those that it sends alerts to.
	Alertmanagers []string
	// Interval is that of scrapes and evaluations; zero means a second.
	Interval time.Duration
	// Retention is how long it keeps samples; zero means longer than any test is interested in.
	Retention time.Duration
	// History is what it has seen before it starts: text in the OpenMetrics format, each sample with its timestamp in
	// seconds, ended by "# EOF". Source: https://github.com/prometheus/OpenMetrics
	History string
	// Args are more flags.
	Args []string
	// Folder is where its own folder is made; empty means the system's place for temporary files.
	Folder string
	// Progress gets a line now and then about builds; nil discards them.
	Progress io.Writer
}

const (
	prometheusLimit     = time.Minute
	prometheusGrace     = 5 * time.Second
	prometheusInterval  = time.Second
	prometheusRetention = 100 * 365 * 24 * time.Hour
)

// PrometheusServer is a running Prometheus.
type PrometheusServer struct {
	folder  string
	address string
	process *process
}

// StartPrometheus starts a Prometheus and returns once it is ready, which includes its history. The context bounds the
// start, not the life; [PrometheusServer.Stop] ends it. One that does not come up, for a fault in a rule file say, is a
// [*StartError].
func StartPrometheus(ctx context.Context, options PrometheusOptions) (*PrometheusServer, error) {
	built, err := prometheusBundle(ctx, options.Progress)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		p, err := startPrometheus(ctx, options, built)
		if err == nil {
			return p, nil
		}
		if try == startTries || !errors.Is(err, errPortTaken) {
			return nil, err
		}
	}
}

// prometheusBundle is the folder of the built programs.
func prometheusBundle(ctx context.Context, progress io.Writer) (string, error) {
	store, err := binaries.Open(ctx, progress)
	if err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	built, err := store.Ensure(ctx, binaries.PrometheusBundle())
	if err != nil {
		return "", fmt.Errorf("lab: %w", err)
	}
	return built, nil
}

func startPrometheus(ctx context.Context, options PrometheusOptions, built string) (_ *PrometheusServer, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, prometheusLimit, fmt.Errorf("not ready within %v", prometheusLimit))
	defer cancel()
	folder, err := makeFolder(options.Folder, "prometheus-")
	if err != nil {
		return nil, fmt.Errorf("lab: folder of Prometheus: %w", err)
	}
	p := &PrometheusServer{folder: folder}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Stop())
		}
	}()
	config, data := filepath.Join(folder, "prometheus.yaml"), filepath.Join(folder, "data")
	if err := writePrometheusConfig(config, options); err != nil {
		return nil, err
	}
	if options.History != "" {
		if err := backfill(ctx, filepath.Join(built, binaries.Promtool), folder, data, options.History); err != nil {
			return nil, err
		}
	}
	addresses, err := freeAddresses(ctx, 1)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	p.address = addresses[0]
	retention := options.Retention
	if retention == 0 {
		retention = prometheusRetention
	}
	args := []string{
		"--config.file", config,
		"--storage.tsdb.path", data,
		"--storage.tsdb.retention.time", fmt.Sprintf("%ds", int64(retention.Seconds())),
		"--web.listen-address", p.address,
		"--web.enable-lifecycle",
	}
	if p.process, err = startProcess(ctx, folder, binaries.Prometheus, filepath.Join(built, binaries.Prometheus), append(args, options.Args...)...); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	return p, p.process.await(ctx, healthy(p.URL()+"/-/ready"))
}

// writePrometheusConfig writes the configuration file. It is JSON, which is YAML, too.
// Source of the fields: https://prometheus.io/docs/prometheus/latest/configuration/configuration/
func writePrometheusConfig(name string, options PrometheusOptions) error {
	type static struct {
		Targets []string `json:"targets"`
	}
	type staticConfigs struct {
		Job    string   `json:"job_name,omitempty"`
		Static []static `json:"static_configs"`
	}
	type config struct {
		Global map[string]string `json:"global"`
		Rules  []string          `json:"rule_files,omitempty"`
		Scrape []staticConfigs   `json:"scrape_configs,omitempty"`
		Alerts struct {
			Managers []staticConfigs `json:"alertmanagers,omitempty"`
		} `json:"alerting"`
	}
	interval := options.Interval
	if interval == 0 {
		interval = prometheusInterval
	}
	every := fmt.Sprintf("%dms", interval.Milliseconds())
	c := config{Global: map[string]string{"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every}}
	for _, file := range options.Rules {
		file, err := filepath.Abs(file)
		if err != nil {
			return fmt.Errorf("lab: prometheus config: %w", err)
		}
		c.Rules = append(c.Rules, file)
	}
	for job, targets := range options.Targets {
		c.Scrape = append(c.Scrape, staticConfigs{Job: job, Static: []static{{targets}}})
	}
	if len(options.Alertmanagers) > 0 {
		c.Alerts.Managers = []staticConfigs{{Static: []static{{options.Alertmanagers}}}}
	}
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("lab: prometheus config: %w", err)
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		return fmt.Errorf("lab: prometheus config: %w", err)
	}
	return nil
}

// backfill makes blocks of samples, as promtool does for who moves from another monitoring system.
func backfill(ctx context.Context, promtool, folder, data, history string) error {
	input := filepath.Join(folder, "history.txt")
	if err := os.WriteFile(input, []byte(history), 0o600); err != nil {
		return fmt.Errorf("lab: history of Prometheus: %w", err)
	}
	// Blocks of a day, as a month in the usual ones of two hours would be hundreds.
	cmd := exec.CommandContext(ctx, promtool, "tsdb", "create-blocks-from", "openmetrics", "--quiet", //nolint:gosec // a program that the lab has built
		"--max-block-duration=24h", input, data)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("lab: history of Prometheus: %w\n%s", err, out)
	}
	return nil
}

// URL is the address of its API.
func (p *PrometheusServer) URL() string { return "http://" + p.address }

// Log is the end of its output.
func (p *PrometheusServer) Log() string { return p.process.tail() }

// Stop ends it in order and removes its folder. Calling it again does nothing.
func (p *PrometheusServer) Stop() error {
	if p.process == nil {
		return os.RemoveAll(p.folder)
	}
	return errors.Join(p.process.stop(prometheusGrace), os.RemoveAll(p.folder))
}
