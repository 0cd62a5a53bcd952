package failover_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tripgen/paramedic/internal/client"
	"github.com/tripgen/paramedic/internal/e2e"
	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/internal/lab/azure"
	"github.com/tripgen/paramedic/internal/web/api"
)

// What the resources are called in the library's rule.
const (
	name       = "tripgen"
	zone       = "tripgen.example"
	korean     = "192.0.2.10"
	japanese   = "198.51.100.10"
	koreaEast  = "Korea Central"
	japanEast  = "Japan East"
	placeCount = 4711
)

// world is one scenario's: two regions, their Redis, an Azure, people who are told, and Paramedic.
type world struct {
	folder, program, rules string
	// more is more of Paramedic's configuration, and bus the line for one that is not its own.
	more, bus string

	korea, japan, counts *region
	cloud                *azure.Cloud
	primary, standby     *lab.RedisServer // of Korea, of Japan
	relay                *relay           // before the standby
	phone                *phone

	mu        sync.Mutex
	paramedic *e2e.Paramedic
	logs      []string
	closers   []func() error
}

// newWorld starts everything but Paramedic.
func newWorld(ctx context.Context, folder, program string) (_ *world, err error) {
	w := &world{folder: folder, program: program, korea: newRegion(placeCount), japan: newRegion(placeCount), counts: newRegion(placeCount), phone: newPhone()}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	for _, r := range []*region{w.korea, w.japan, w.counts} {
		w.closes(func() error { r.server.Close(); return nil })
	}
	w.closes(func() error { w.phone.server.Close(); return nil })
	if w.cloud, err = azure.Start(ctx); err != nil {
		return nil, err
	}
	w.closes(w.cloud.Stop)
	w.cloud.AddProfile(name, azure.Endpoint{Name: "korea"}, azure.Endpoint{Name: "japan"})
	w.cloud.AddCosmosDB(name, koreaEast, japanEast)
	w.cloud.AddRecord(zone, "api", 60, korean)
	w.cloud.AddFactory(name, "sync-japan-to-korea", "paramedicTask")
	if w.primary, err = lab.StartRedis(ctx, lab.RedisOptions{Folder: folder}); err != nil {
		return nil, err
	}
	w.closes(w.primary.Stop)
	host, port, err := net.SplitHostPort(w.primary.Address())
	if err != nil {
		return nil, err
	}
	if w.standby, err = lab.StartRedis(ctx, lab.RedisOptions{Folder: folder, Config: []string{"replicaof " + host + " " + port}}); err != nil {
		return nil, err
	}
	w.closes(w.standby.Stop)
	if w.relay, err = newRelay(ctx, w.standby.Address()); err != nil {
		return nil, err
	}
	w.closes(w.relay.close)
	err = errors.Join(os.WriteFile(filepath.Join(folder, "azure.secret"), []byte(w.cloud.Secret()), 0o600),
		os.WriteFile(filepath.Join(folder, "azure.pem"), w.cloud.Certificate(), 0o600))
	if err != nil {
		return nil, err
	}
	if err = w.filled(ctx); err != nil {
		return nil, err
	}
	return w, nil
}

// filled puts something into the cache, and waits until the standby has it.
func (w *world) filled(ctx context.Context) error {
	admin := goredis.NewClient(&goredis.Options{Addr: w.primary.Address(), Protocol: 2, DisableIdentity: true})
	if err := errors.Join(admin.Set(ctx, "place:1", "Seoul", 0).Err(), admin.Close()); err != nil {
		return err
	}
	return eventually(ctx, func() error {
		if info, err := infoOf(ctx, w.standby.Address()); err != nil || info["master_link_status"] != "up" || !strings.HasPrefix(info["db0"], "keys=1") {
			return fmt.Errorf("the standby is not in step: %v, %w", info["master_link_status"], err)
		}
		return nil
	})
}

// config is Paramedic's configuration of the systems of this world.
func (w *world) config() string {
	return fmt.Sprintf(`azure: {default: %s}
redis:
  place-cache-korea: {address: %q}
  place-cache-japan: {address: %q}
reporters: {webhook: {on-call: {url: %q}}}
%s`, w.cloud.Account("azure.secret", "azure.pem"), w.primary.Address(), w.relay.address(), w.phone.server.URL, w.more)
}

// start starts Paramedic, for the first time or again.
func (w *world) start(ctx context.Context) error {
	p, err := e2e.Start(ctx, e2e.Options{Program: w.program, Folder: w.folder, Rules: []byte(w.rules), Config: w.config(), Bus: w.bus})
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paramedic = p
	return nil
}

// kill ends Paramedic as kill -9 does.
func (w *world) kill() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.paramedic
	if p == nil {
		return errors.New("it is dead already")
	}
	w.paramedic = nil
	err := p.Kill()
	w.logs = append(w.logs, p.Log())
	return err
}

func (w *world) api() (*client.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paramedic == nil {
		return nil, errors.New("paramedic is dead")
	}
	return w.paramedic.API, nil
}

func (w *world) closes(f func() error) { w.closers = append(w.closers, f) }

func (w *world) close() error {
	var err error
	w.mu.Lock()
	if w.paramedic != nil {
		err = w.paramedic.Stop()
		w.logs = append(w.logs, w.paramedic.Log())
		w.paramedic = nil
	}
	w.mu.Unlock()
	for _, f := range slices.Backward(w.closers) {
		err = errors.Join(err, f())
	}
	return err
}

// run is a rule's newest; there is none before it has begun.
func (w *world) run(ctx context.Context, rule string) (api.Run, error) {
	operator, err := w.api()
	if err != nil {
		return api.Run{}, err
	}
	found, err := operator.Runs(ctx, client.Filter{State: "all", Rule: rule, Limit: 1})
	if err != nil {
		return api.Run{}, err
	}
	if len(found.Runs) == 0 {
		return api.Run{}, fmt.Errorf("rule %s has no run", rule)
	}
	return found.Runs[0], nil
}

// reaches waits until the newest run of a rule is in one of some phases.
func (w *world) reaches(ctx context.Context, rule string, phases ...engine.Phase) (r api.Run, err error) {
	err = eventually(ctx, func() error {
		if r, err = w.run(ctx, rule); err != nil {
			return err
		}
		if slices.Contains(phases, r.Phase) {
			return nil
		}
		return fmt.Errorf("run %s is %s: %s %s", r.ID, r.Phase, r.Outcome, r.Why)
	})
	return r, err
}

// agree waits until a rule's run asks a person, and says yes.
func (w *world) agree(ctx context.Context, rule string) error {
	r, err := w.reaches(ctx, rule, engine.PhaseApproval, engine.PhaseEnded, engine.PhaseParked)
	if err != nil {
		return err
	}
	if r.Phase != engine.PhaseApproval {
		return fmt.Errorf("run %s does not ask: %s %s: %s", r.ID, r.Phase, r.Outcome, r.Why)
	}
	operator, err := w.api()
	if err == nil {
		_, err = operator.Approve(ctx, r.ID, r.Plan)
	}
	return err
}

// infoOf is what a Redis says of itself.
func infoOf(ctx context.Context, address string) (map[string]string, error) {
	admin := goredis.NewClient(&goredis.Options{Addr: address, Protocol: 2, DisableIdentity: true})
	text, err := admin.Info(ctx, "everything").Result()
	found := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			found[key] = value
		}
	}
	return found, errors.Join(err, admin.Close())
}

// calls is how often a Redis was told to be a primary or a replica.
func calls(info map[string]string) int {
	count, _, _ := strings.Cut(strings.TrimPrefix(info["cmdstat_replicaof"], "calls="), ",")
	n, _ := strconv.Atoi(count) // none is no text
	return n
}

// eventually polls until the condition holds, and says what was last missing.
func eventually(ctx context.Context, condition func() error) error {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := condition()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}
