package redis_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators/redis"
	"github.com/tripgen/paramedic/remediators/remediatortest"
)

func TestProbe(t *testing.T) {
	t.Parallel()
	primary, replica := boxOf(t), boxOf(t)
	replica.follow(t, primary)
	p := redis.NewProbe(redis.Instances{
		"primary": at(t, primary.Address()), "replica": at(t, replica.Address()), "gone": at(t, "127.0.0.1:1"),
		"barred": instance(t, redis.Config{Address: primary.Address(), Password: secret("hunter2-wrong")}),
	})
	look := func(name, params string, ok bool, detail string) {
		t.Helper()
		check, err := p.Probe(t.Context(), target(name), json.RawMessage(params))
		if err != nil || check.OK != ok || check.Kind != "redis" || !strings.Contains(check.Detail, detail) || strings.Contains(check.Detail, "hunter2") {
			t.Errorf("%s of %s: %+v, %v; want %t with %q", params, name, check, err, ok, detail)
		}
	}
	look("primary", ``, true, "answers")
	look("primary", `{"role": "primary"}`, true, "is a primary")
	look("primary", `{"role": "replica"}`, false, "is a primary")
	look("primary", `{"link": "up"}`, false, "is a primary")
	look("replica", `{"role": "replica", "link": "up", "maxLag": 100000}`, true, "bytes behind")
	look("replica", `{"role": "primary"}`, false, "is a replica of "+primary.Address())
	look("gone", `{"ping": true}`, false, "refused")
	look("barred", `{"timeout": "2s"}`, false, "WRONGPASS")
	look("replica", `{"role": "replica", "maxLag": 100000, "maxLinkDown": "1s"}`, true, "bytes behind")
	primary.kill(t, replica)
	look("replica", `{"role": "replica"}`, true, "link down")
	look("replica", `{"link": "up"}`, false, "link down")
	look("replica", `{"maxLag": 100000}`, false, "not known")
	look("replica", `{"role": "replica", "maxLag": 100000, "maxLinkDown": "10m"}`, true, "link down for ")
	eventually(t, "two seconds without", func() bool { return replica.info(t, "master_link_down_since_seconds") >= "2" })
	look("replica", `{"maxLinkDown": "1s"}`, false, "link down for ")
	never := boxOf(t, "replicaof 127.0.0.1 1")
	look = func(name, params string, ok bool, detail string) {
		t.Helper()
		check, err := redis.NewProbe(redis.Instances{"never": at(t, never.Address())}).Probe(t.Context(), target(name), json.RawMessage(params))
		if err != nil || check.OK != ok || !strings.Contains(check.Detail, detail) {
			t.Errorf("%s of %s: %+v, %v; want %t with %q", params, name, check, err, ok, detail)
		}
	}
	look("never", `{"maxLinkDown": "10m"}`, false, "never been in step")

	for _, params := range []string{
		`{"ping": false}`, `{"role": "master"}`, `{"link": "down"}`, `{"role": "primary", "maxLag": 1}`, `{"maxLag": -1}`, `{"maxLinkDown": "x"}`,
		`{"maxLinkDown": "-1s"}`, `{"link": "up", "maxLinkDown": "1s"}`, `{"role": "primary", "maxLinkDown": "1s"}`, `{"timeout": "2h"}`, `{"typo": 1}`,
	} {
		if check, err := p.Probe(t.Context(), target("primary"), json.RawMessage(params)); err == nil || check.OK {
			t.Errorf("%s: %+v, %v", params, check, err)
		}
	}
	if check, err := p.Probe(t.Context(), engine.Target{System: "http", Name: "primary"}, nil); err == nil || check.OK {
		t.Errorf("another system: %+v, %v", check, err)
	}
	schema := remediatortest.Schema(t, p.Spec().Params)
	for params, want := range map[string]bool{`{"role": "replica", "link": "up", "maxLag": 0}`: true, `{"role": "x"}`: false, `{"typo": 1}`: false} {
		if remediatortest.Accepts(t, schema, params) != want {
			t.Errorf("schema of %s: %t", params, !want)
		}
	}
}
