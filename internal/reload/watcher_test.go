package reload_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/reload"
	"github.com/tripgen/paramedic/internal/reload/reloadtest"
)

const (
	every  = 2 * time.Second
	settle = 300 * time.Millisecond
	// within is how soon a change must be in use.
	within = every + settle
)

// scene is a watcher of a folder's *.yaml. What it uses is told by the texts, one
// behind the other; a text that begins with "bad" is refused.
type scene struct {
	t        *testing.T
	folder   string
	watcher  *reload.Watcher
	registry *prometheus.Registry
	log      bytes.Buffer
	used     []string
	wake     chan os.Signal
	loads    int
}

// watch runs a test on a folder that begins so, in a bubble.
func watch(t *testing.T, begin func(s *scene), test func(s *scene)) {
	t.Helper()
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{t: t, folder: folder, registry: prometheus.NewPedanticRegistry(), wake: make(chan os.Signal, 1)}
		begin(s)
		initial, err := s.load()
		if err != nil {
			t.Fatal(err)
		}
		metrics, err := reload.NewMetrics(s.registry)
		if err != nil {
			t.Fatal(err)
		}
		s.watcher, err = reload.New(reload.Options{
			Load: s.load, Use: s.use, Initial: initial, Digest: joined(initial), Every: every, Settle: settle, Wake: s.wake,
			Now: time.Now, Logger: slog.New(slog.NewTextHandler(&s.log, nil)), Metrics: metrics,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.watcher.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		test(s)
	})
}

func (s *scene) load() ([]engine.Source, error) {
	s.loads++
	names, err := filepath.Glob(filepath.Join(s.folder, "*.yaml"))
	if err == nil && len(names) == 0 {
		err = errors.New("no file fits")
	}
	if err != nil {
		return nil, err
	}
	var sources []engine.Source
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		sources = append(sources, engine.Source{Name: name, Text: string(text)})
	}
	return sources, nil
}

func joined(sources []engine.Source) string {
	var texts []string
	for _, s := range sources {
		texts = append(texts, s.Text)
	}
	return strings.Join(texts, "+")
}

func (s *scene) use(sources []engine.Source) (string, error) {
	for _, f := range sources {
		if strings.HasPrefix(f.Text, "bad") {
			return "", fmt.Errorf("%s:1:1: error: %s", filepath.Base(f.Name), f.Text)
		}
	}
	s.used = append(s.used, joined(sources))
	return joined(sources), nil
}

func (s *scene) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.folder, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// soon lets as much time pass as a change may take.
func (s *scene) soon() { s.pass(within) }

// pass lets time pass, that of the bubble, and the watcher do what is due.
func (s *scene) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// want says what is in use, and why something newer is not.
func (s *scene) want(digest, refused string) {
	s.t.Helper()
	now := s.watcher.Status()
	if now.Digest != digest {
		s.t.Errorf("in use is %q, want %q", now.Digest, digest)
	}
	if refused == "" && now.Refused != nil || refused != "" && (now.Refused == nil || !strings.Contains(now.Refused.Error(), refused)) {
		s.t.Errorf("refused is %v, want %q", now.Refused, refused)
	}
	success := "1"
	if refused != "" {
		success = "0"
	}
	metrics := fmt.Sprintf(`
# HELP paramedic_rules_info 1, for the digest of the rules that this process has taken from its files; the leader puts its own in force.
# TYPE paramedic_rules_info gauge
paramedic_rules_info{digest=%q} 1
# HELP paramedic_rules_reload_success 1 if the rule files are in use as they are now, 0 if they were changed and refused.
# TYPE paramedic_rules_reload_success gauge
paramedic_rules_reload_success %s
`, digest, success)
	if err := testutil.GatherAndCompare(s.registry, strings.NewReader(metrics), "paramedic_rules_info", "paramedic_rules_reload_success"); err != nil {
		s.t.Error(err)
	}
}

func one(s *scene) { s.write("a.yaml", "a1") }

func TestEveryWayOfChanging(t *testing.T) {
	t.Parallel()
	m := &reloadtest.ConfigMap{}
	asConfigMap := func(s *scene) {
		m.Folder = s.folder
		m.Write(s.t, map[string]string{"a.yaml": "a1", "b.yaml": "b1"})
	}
	watch(t, asConfigMap, func(s *scene) {
		for _, c := range []struct {
			files map[string]string
			want  string
		}{
			{map[string]string{"a.yaml": "a2", "b.yaml": "b1"}, "a2+b1"},
			{map[string]string{"a.yaml": "a2", "b.yaml": "b1", "c.yaml": "c1"}, "a2+b1+c1"},
			{map[string]string{"b.yaml": "b2"}, "b2"},
			{map[string]string{"a.yaml": "a1", "b.yaml": "b1"}, "a1+b1"},
		} {
			m.Write(s.t, c.files)
			s.soon()
			s.want(c.want, "")
		}
	})
	watch(t, one, func(s *scene) {
		for _, change := range []struct {
			do   func()
			want string
		}{
			{func() { s.write("a.yaml", "a2") }, "a2"},
			{func() { reloadtest.Replace(s.t, filepath.Join(s.folder, "a.yaml"), "a3") }, "a3"},
			{func() { s.write("b.yaml", "b1") }, "a3+b1"},
			{func() { s.remove("a.yaml") }, "b1"},
			{func() { // the same size and time, as a coarse clock gives it
				at := s.modified("b.yaml")
				s.write("b.yaml", "b2")
				if err := os.Chtimes(filepath.Join(s.folder, "b.yaml"), at, at); err != nil {
					s.t.Fatal(err)
				}
			}, "b2"},
		} {
			change.do()
			s.soon()
			s.want(change.want, "")
		}
	})
}

func (s *scene) remove(name string) {
	s.t.Helper()
	if err := os.Remove(filepath.Join(s.folder, name)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *scene) modified(name string) time.Time {
	s.t.Helper()
	info, err := os.Stat(filepath.Join(s.folder, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return info.ModTime()
}

func TestABadSetIsRefusedWholeAndToldOnce(t *testing.T) {
	t.Parallel()
	watch(t, one, func(s *scene) {
		s.write("b.yaml", "bad b")
		s.write("a.yaml", "a2")
		s.soon()
		s.want("a1", "b.yaml:1:1: error: bad b")
		s.pass(time.Minute)
		if n := strings.Count(s.log.String(), "level=ERROR"); n != 1 {
			t.Errorf("told %d times:\n%s", n, s.log.String())
		}
		s.write("b.yaml", "bad c")
		s.soon()
		s.want("a1", "error: bad c")
		s.write("b.yaml", "b1")
		s.soon()
		s.want("a2+b1", "")
		s.remove("a.yaml")
		s.remove("b.yaml")
		s.soon()
		s.want("a2+b1", "no file fits")
		s.write("a.yaml", "a2")
		s.write("b.yaml", "b1")
		s.soon()
		s.want("a2+b1", "")
		if n := strings.Count(s.log.String(), "level=ERROR"); n != 3 {
			t.Errorf("told %d times:\n%s", n, s.log.String())
		}
		counts := `
# HELP paramedic_rules_reloads_total Changes of the rule files, by whether they are used or refused.
# TYPE paramedic_rules_reloads_total counter
paramedic_rules_reloads_total{result="refused"} 3
paramedic_rules_reloads_total{result="used"} 2
`
		if err := testutil.GatherAndCompare(s.registry, strings.NewReader(counts), "paramedic_rules_reloads_total"); err != nil {
			t.Error(err)
		}
	})
}

// TestHalfWrittenFilesAreNotUsed writes a file bit by bit, which would be good at
// every point, and one of two files long before the other.
func TestHalfWrittenFilesAreNotUsed(t *testing.T) {
	t.Parallel()
	watch(t, one, func(s *scene) {
		const text = "a2 and much more"
		for i := range len(text) {
			s.write("a.yaml", text[:i+1])
			s.pass(settle - 50*time.Millisecond)
		}
		s.soon()
		s.want(text, "")
		if len(s.used) != 1 {
			t.Errorf("used were %q", s.used)
		}
	})
}

// TestGoneForAMoment: a file that is not there while it is replaced is no change.
func TestGoneForAMoment(t *testing.T) {
	t.Parallel()
	watch(t, one, func(s *scene) {
		s.remove("a.yaml")
		s.pass(every + settle/2)
		s.write("a.yaml", "a1")
		s.soon()
		s.want("a1", "")
		if len(s.used) != 0 || s.log.Len() > 0 {
			t.Errorf("used were %q\n%s", s.used, s.log.String())
		}
	})
}

func TestNothingChanges(t *testing.T) {
	t.Parallel()
	watch(t, one, func(s *scene) {
		s.pass(time.Hour)
		if s.log.Len() > 0 || len(s.used) > 0 {
			t.Errorf("used were %q\n%s", s.used, s.log.String())
		}
		if looks := time.Hour / every; s.loads > int(looks)+1 {
			t.Errorf("%d looks in an hour", s.loads)
		}
	})
}

func TestWake(t *testing.T) {
	t.Parallel()
	watch(t, one, func(s *scene) {
		s.write("a.yaml", "a2")
		s.wake <- os.Interrupt
		s.pass(settle)
		s.want("a2", "")
	})
}

func TestNewRefusesNonsense(t *testing.T) {
	t.Parallel()
	metrics, err := reload.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	good := reload.Options{
		Load: func() ([]engine.Source, error) { return nil, nil }, Use: func([]engine.Source) (string, error) { return "", nil },
		Initial: []engine.Source{{Name: "a"}}, Digest: "a", Every: every, Settle: settle,
		Now: time.Now, Logger: slog.New(slog.DiscardHandler), Metrics: metrics,
	}
	if _, err := reload.New(good); err != nil {
		t.Error(err)
	}
	for want, spoil := range map[string]func(*reload.Options){
		"must be set":            func(o *reload.Options) { o.Load = nil },
		"must be more than 0":    func(o *reload.Options) { o.Settle = 0 },
		"there are no rules in ": func(o *reload.Options) { o.Initial = nil },
	} {
		o := good
		spoil(&o)
		if _, err := reload.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
