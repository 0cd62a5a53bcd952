package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/nats-io/nkeys"

	"github.com/tripgen/paramedic/internal/engine"
)

// Hub is the name of the one that may do everything, in place of a group's.
const Hub = "hub"

// The files of a folder, beside a seed for each name: NAME.nk.
const (
	AccountsFile = "paramedic-accounts.conf"
	stateFile    = "access.json"
)

// Access is who has which keys. The first key of each is the newest.
type Access struct {
	dir   string
	keys  map[string][]string
	seeds map[string][]byte
}

// state is the file in which an Access is kept: public keys only.
type state struct {
	Keys map[string][]string `json:"keys"`
}

// Open reads the state that is kept in a folder. A folder without one is taken
// for new: it gets a key for the hub.
func Open(dir string) (*Access, error) {
	a := &Access{dir: dir, keys: map[string][]string{}, seeds: map[string][]byte{}}
	text, err := os.ReadFile(filepath.Join(dir, stateFile)) //nolint:gosec // the folder is whose command it is to name
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := a.newKey(Hub); err != nil {
			return nil, err
		}
		return a, nil
	case err != nil:
		return nil, fmt.Errorf("read the keys that were given: %w", err)
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("read the keys that were given: %s: %w: put back the file as it was, or begin in another folder", stateFile, err)
	}
	for name, keys := range s.Keys {
		if name != Hub {
			if err := CheckGroup(name); err != nil {
				return nil, fmt.Errorf("%s: %w", stateFile, err)
			}
		}
		for _, key := range keys {
			if !nkeys.IsValidPublicUserKey(key) {
				return nil, fmt.Errorf("%s: %.80q of %s is not the public NKey of a user", stateFile, key, name)
			}
		}
		a.keys[name] = keys
	}
	if len(a.keys[Hub]) == 0 {
		return nil, fmt.Errorf("%s: the hub has no key there", stateFile)
	}
	return a, nil
}

var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// CheckGroup holds a name to what a worker group may be called.
func CheckGroup(name string) error {
	switch {
	case !label.MatchString(name):
		return fmt.Errorf("worker group %q: a name has 1 to 63 of a-z, 0-9 and -, and begins and ends with a letter or digit", name)
	case name == Hub:
		return fmt.Errorf("worker group %q: that is the hub's own name here: choose another", name)
	case strings.HasSuffix(name, engine.VerifyGroup("")):
		return fmt.Errorf("worker group %q: names with %s at their end are of the groups that verify: name the group itself", name, engine.VerifyGroup(""))
	}
	return nil
}

// Groups are the worker groups that have keys, sorted.
func (a *Access) Groups() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(a.keys)), func(name string) bool { return name == Hub })
}

// Keys is how many keys let somebody in under a name: two while one is replaced.
func (a *Access) Keys(name string) int { return len(a.keys[name]) }

// Add gives a group its first key. One that has a key keeps it.
func (a *Access) Add(name string) error {
	if name != Hub {
		if err := CheckGroup(name); err != nil {
			return err
		}
	}
	if len(a.keys[name]) > 0 {
		return nil
	}
	return a.newKey(name)
}

// Rotate gives a name another key, beside the newest that it has, so that both
// let in until the older is retired.
func (a *Access) Rotate(name string) error {
	if err := a.known(name); err != nil {
		return err
	}
	a.keys[name] = a.keys[name][:1]
	return a.newKey(name)
}

// Retire leaves a name its newest key only.
func (a *Access) Retire(name string) error {
	if err := a.known(name); err != nil {
		return err
	}
	a.keys[name] = a.keys[name][:1]
	return nil
}

// Remove takes a group's keys and its account away.
func (a *Access) Remove(group string) error {
	if err := a.known(group); err != nil {
		return err
	}
	if group == Hub {
		return errors.New("the hub's access cannot be removed: rotate its key instead")
	}
	delete(a.keys, group)
	delete(a.seeds, group)
	return nil
}

func (a *Access) known(name string) error {
	if len(a.keys[name]) == 0 {
		return fmt.Errorf("%q has no key here: there are %s", name, strings.Join(append([]string{Hub}, a.Groups()...), ", "))
	}
	return nil
}

func (a *Access) newKey(name string) error {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return fmt.Errorf("make a key for %s: %w", name, err)
	}
	defer pair.Wipe()
	public, err := pair.PublicKey()
	if err != nil {
		return fmt.Errorf("make a key for %s: %w", name, err)
	}
	seed, err := pair.Seed()
	if err != nil {
		return fmt.Errorf("make a key for %s: %w", name, err)
	}
	a.keys[name] = append([]string{public}, a.keys[name]...)
	a.seeds[name] = bytes.Clone(seed) // the pair keeps its own, which is wiped
	return nil
}

// SeedFile is where the seed of a name's newest key was or will be written.
func (a *Access) SeedFile(name string) string { return filepath.Join(a.dir, name+".nk") }

// Save writes all files, readable by their owner only. The seeds come first: a
// key that the server knows and nobody has would let nobody in. It returns the
// names whose seeds are new.
func (a *Access) Save() ([]string, error) {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return nil, fmt.Errorf("the folder for credentials: %w", err)
	}
	fresh := slices.Sorted(maps.Keys(a.seeds))
	for _, name := range fresh {
		// The form that the NATS clients and tools read.
		text := "-----BEGIN USER NKEY SEED-----\n" + string(a.seeds[name]) + "\n------END USER NKEY SEED------\n"
		if err := replace(a.SeedFile(name), []byte(text)); err != nil {
			return nil, err
		}
	}
	text, err := json.MarshalIndent(state{Keys: a.keys}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the keys: %w", err)
	}
	if err := replace(filepath.Join(a.dir, stateFile), append(text, '\n')); err != nil {
		return nil, err
	}
	if err := replace(filepath.Join(a.dir, AccountsFile), a.Accounts()); err != nil {
		return nil, err
	}
	clear(a.seeds)
	return fresh, nil
}

// replace puts a file in place whole.
func replace(file string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", file, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
