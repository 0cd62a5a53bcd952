package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/internal/lab"
	"github.com/tripgen/paramedic/remediators/redis"
)

// certify writes one certificate that is its own authority, and its key.
func certify(t *testing.T, name string) (cert, key string) {
	t.Helper()
	private := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private))(t)
	keyDER := must(x509.MarshalECPrivateKey(private))(t)
	folder := t.TempDir()
	cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	if err := errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, key := certify(t, "cache.korea")
	other, otherKey := certify(t, "cache.korea")
	s := lab.Redis(t, lab.RedisOptions{Secure: true, Config: []string{
		"requirepass " + password, "tls-cert-file " + cert, "tls-key-file " + key, "tls-ca-cert-file " + cert, "tls-auth-clients yes",
	}})
	box{s, admin(t, s.Address())}.fill(t, "a", 10, 0)
	trusted := redis.TLS{CA: cert, Cert: cert, Key: key, ServerName: "cache.korea"}
	with := func(change func(c *redis.TLS)) *redis.Instance {
		c := trusted
		change(&c)
		return instance(t, redis.Config{Address: s.SecureAddress(), Password: secret(password), TLS: &c})
	}
	cleaner := redis.NewClear(redis.Instances{
		"fine":      with(func(*redis.TLS) {}),
		"stranger":  with(func(c *redis.TLS) { c.CA = other }),
		"misnamed":  with(func(c *redis.TLS) { c.ServerName = "" }),
		"untrusted": with(func(c *redis.TLS) { c.Cert, c.Key = other, otherKey }),
		"no file":   with(func(c *redis.TLS) { c.CA = "/does/not/exist" }),
		"in clear":  at(t, s.SecureAddress()),
	}, time.Now)
	for name, c := range map[string]struct {
		class engine.Class
		words string
	}{
		"stranger": {engine.ClassTerminal, "certificate"}, "misnamed": {engine.ClassTerminal, "certificate"},
		"untrusted": {engine.ClassRetryable, ""}, "no file": {engine.ClassRetryable, "no such file"}, "in clear": {engine.ClassRetryable, ""},
	} {
		_, err := cleaner.Plan(t.Context(), task(name, `{"pattern": "a:*"}`))
		wantClass(t, err, c.class, c.words)
	}
	if o := must(done(t.Context(), t, cleaner, task("fine", `{"pattern": "a:*"}`)))(t); !strings.HasSuffix(o.Summary, "10 of them") {
		t.Errorf("over TLS: %q", o.Summary)
	}
}

// TestSentinel has sentinels move the primary, and asks them each time.
func TestSentinel(t *testing.T) {
	t.Parallel()
	primary, replica := boxOf(t), boxOf(t)
	replica.follow(t, primary)
	host, port := must2(net.SplitHostPort(primary.Address()))(t)
	sentinel := lab.Redis(t, lab.RedisOptions{Sentinel: true, Config: []string{
		"requirepass hunter2-of-sentinel", "sentinel monitor cache " + host + " " + port + " 1",
		"sentinel auth-pass cache " + password, "sentinel down-after-milliseconds cache 500", "sentinel failover-timeout cache 5000",
	}})
	watched := func(master, secretly string) *redis.Instance {
		return instance(t, redis.Config{
			Password: secret(password),
			Sentinel: &redis.Sentinel{Master: master, Addresses: []string{"127.0.0.1:1", sentinel.Address()}, Password: secret(secretly)},
		})
	}
	instances := redis.Instances{
		"cache": watched("cache", "hunter2-of-sentinel"), "other": watched("other", "hunter2-of-sentinel"), "barred": watched("cache", "hunter2"),
	}
	cleaner := redis.NewClear(instances, time.Now)
	for name, words := range map[string]string{"other": `knows no primary "other"`, "barred": "WRONGPASS"} {
		_, err := cleaner.Plan(t.Context(), task(name, `{"all": true}`))
		wantClass(t, err, engine.ClassRetryable, words)
	}
	primary.fill(t, "a", 10, 0)
	one := task("cache", `{"pattern": "a:*"}`)
	must(done(t.Context(), t, cleaner, one))(t)
	if primary.size(t) != 0 {
		t.Errorf("%d are left", primary.size(t))
	}
	watcher := goredis.NewClient(&goredis.Options{Addr: sentinel.Address(), Password: "hunter2-of-sentinel", Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() { _ = watcher.Close() })
	eventually(t, "the sentinel knows the replica", func() bool {
		known, err := watcher.Do(t.Context(), "sentinel", "replicas", "cache").Slice()
		return err == nil && len(known) == 1
	})
	primary.kill(t)
	eventually(t, "the replica is promoted", func() bool { return replica.info(t, "role") == "master" })
	replica.fill(t, "a", 10, 0)
	eventually(t, "the sentinel names the new primary", func() bool {
		check, err := redis.NewProbe(instances).Probe(t.Context(), target("cache"), []byte(`{"role": "primary"}`))
		return err == nil && check.OK && strings.Contains(check.Detail, replica.Address())
	})
	must(done(t.Context(), t, cleaner, one))(t)
	if replica.size(t) != 0 {
		t.Errorf("%d are left", replica.size(t))
	}
}

// clustered are three nodes that share the slots.
func clustered(t *testing.T) (nodes [3]box) {
	t.Helper()
	for i := range nodes {
		nodes[i] = boxOf(t, "cluster-enabled yes", "cluster-node-timeout 2000")
	}
	for i, n := range nodes {
		first, last := i*16384/3, (i+1)*16384/3-1
		if err := n.admin.Do(t.Context(), "cluster", "addslotsrange", first, last).Err(); err != nil {
			t.Fatal(err)
		}
		host, port := must2(net.SplitHostPort(n.Address()))(t)
		if err := nodes[0].admin.Do(t.Context(), "cluster", "meet", host, port).Err(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "a cluster", func() bool {
		for _, n := range nodes {
			text, err := n.admin.ClusterInfo(t.Context()).Result()
			if err != nil || !strings.Contains(text, "cluster_state:ok") || !strings.Contains(text, "cluster_known_nodes:3") {
				return false
			}
		}
		return true
	})
	return nodes
}

func TestCluster(t *testing.T) {
	t.Parallel()
	nodes := clustered(t)
	client := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{nodes[0].Address()}, Password: password, Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() { _ = client.Close() })
	fill := func(prefix string) {
		t.Helper()
		for i := range 300 {
			if err := client.Set(t.Context(), fmt.Sprintf("%s:%d", prefix, i), "x", time.Hour).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill("a")
	fill("b")
	i := redis.Instances{"many": instance(t, redis.Config{Cluster: []string{"127.0.0.1:1", nodes[1].Address()}, Password: secret(password)})}
	cleaner, ttl := redis.NewClear(i, time.Now), redis.NewTTL(i, time.Now)
	if o := must(done(t.Context(), t, ttl, task("many", `{"pattern": "b:*", "factor": 2, "max": "24h", "rate": 100000}`)))(t); !strings.HasSuffix(o.Summary, "300 changed, of 300") {
		t.Errorf("ttl: %q", o.Summary)
	}
	if left := must(client.TTL(t.Context(), "b:17").Result())(t); !about(left, 2*time.Hour) {
		t.Errorf("b:17 lives on for %v", left)
	}
	if o := must(done(t.Context(), t, cleaner, task("many", `{"pattern": "a:*", "rate": 100000}`)))(t); !strings.HasSuffix(o.Summary, "300 of them") {
		t.Errorf("clear: %q", o.Summary)
	}
	left := int64(0)
	for _, n := range nodes {
		left += n.size(t)
	}
	if left != 300 {
		t.Errorf("%d are left of 300", left)
	}
	check := must(redis.NewProbe(i).Probe(t.Context(), target("many"), []byte(`{"ping": true}`)))(t)
	if !check.OK || strings.Count(check.Detail, "answers") != 3 {
		t.Errorf("probe %+v", check)
	}

	// Of a cluster that has lost a part, nothing is changed.
	p := must(cleaner.Plan(t.Context(), task("many", `{"all": true}`)))(t)
	nodes[2].kill(t)
	_, err := cleaner.Execute(t.Context(), task("many", `{"all": true}`), p)
	wantClass(t, err, engine.ClassRetryable, "")
	eventually(t, "the others have noticed", func() bool {
		text, err := nodes[1].admin.ClusterInfo(t.Context()).Result()
		return err == nil && strings.Contains(text, "cluster_state:fail")
	})
	_, err = cleaner.Execute(t.Context(), task("many", `{"all": true}`), p)
	wantClass(t, err, engine.ClassRetryable, "of its 16384 slots")
	if got := nodes[0].size(t) + nodes[1].size(t); got == 0 {
		t.Error("a part of the cluster was flushed")
	}
}
