package access_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/bus/access"
)

// attempt is one message that group tokyo has no right to send.
type attempt struct{ subject, body, reply string }

// attempts are what tokyo tries: with a subject as it is, and with the domain's
// prefix where it is of the JetStream API.
func attempts() map[string]attempt {
	all := map[string]attempt{
		"pull another group's tasks":              {"$JS.API.CONSUMER.MSG.NEXT.WORK.seoul", `{"batch":1}`, ""},
		"pull another group's verifications":      {"$JS.API.CONSUMER.MSG.NEXT.WORK.seoul-verify", `{"batch":1}`, ""},
		"pull the default group's tasks":          {"$JS.API.CONSUMER.MSG.NEXT.WORK.default", `{"batch":1}`, ""},
		"acknowledge another group's task":        {"$JS.ACK.WORK.seoul.1.1.1.1700000000000000000.0", "+ACK", ""},
		"give another group's task up":            {"$JS.ACK.WORK.seoul.1.1.1.1700000000000000000.0", "+TERM", ""},
		"publish a task":                          {"work.seoul.a", "{}", ""},
		"publish a task to itself":                {"work.tokyo.a", "{}", ""},
		"publish a delivery":                      {"inbox.delivery", "{}", ""},
		"publish a command":                       {"inbox.command", `{"command":{"verb":"pause","scope":"all","by":"m"}}`, ""},
		"publish rules":                           {"inbox.rules", "{}", ""},
		"publish a tick":                          {"inbox.tick", "{}", ""},
		"answer for another group":                {"inbox.result.seoul", "{}", ""},
		"answer for the verifiers of another":     {"inbox.result.seoul-verify", "{}", ""},
		"answer for nobody":                       {"inbox.result", "{}", ""},
		"write another group's dead letter":       {"dead.seoul.a", "{}", ""},
		"write the ledger":                        {"ledger.record", "{}", ""},
		"write the quarantine":                    {"quarantine.x", "{}", ""},
		"pause":                                   {"$KV.PAUSES.all", "{}", ""},
		"resume":                                  {"$KV.PAUSES.rule/x", "", ""},
		"write another group's claim":             {"$KV.CLAIMS_seoul.t-1", "{}", ""},
		"write the default group's claim":         {"$KV.CLAIMS.t-1", "{}", ""},
		"read another group's claims":             {"$JS.API.STREAM.MSG.GET.KV_CLAIMS_seoul", `{"seq":1}`, ""},
		"read another group's claims directly":    {"$JS.API.DIRECT.GET.KV_CLAIMS_seoul", `{"seq":1}`, ""},
		"list another group's claims":             {"$JS.API.STREAM.INFO.KV_CLAIMS_seoul", `{"subjects_filter":">"}`, ""},
		"take the leader's lease":                 {"$KV.LEADER.engine", "{}", ""},
		"change what reporters have reported":     {"$KV.PROGRESS.x", "{}", ""},
		"change the triggers' marks":              {"$KV.TRIGGERS.x", "{}", ""},
		"write a snapshot":                        {"$O.SNAPSHOTS.C.x", "{}", ""},
		"read the ledger":                         {"$JS.API.STREAM.MSG.GET.LEDGER", `{"seq":1}`, ""},
		"read the inbox":                          {"$JS.API.STREAM.MSG.GET.INBOX", `{"seq":1}`, ""},
		"read the quarantine":                     {"$JS.API.STREAM.MSG.GET.QUARANTINE", `{"seq":1}`, ""},
		"read the tasks of all":                   {"$JS.API.STREAM.MSG.GET.WORK", `{"seq":1}`, ""},
		"read the dead letters":                   {"$JS.API.STREAM.MSG.GET.DEAD", `{"seq":1}`, ""},
		"read the ledger through a consumer":      {"$JS.API.CONSUMER.CREATE.LEDGER.c", `{"stream_name":"LEDGER","config":{"ack_policy":"none"}}`, ""},
		"read the inbox through a consumer":       {"$JS.API.CONSUMER.CREATE.INBOX.c", `{"stream_name":"INBOX","config":{"ack_policy":"none"}}`, ""},
		"make a consumer of its own tasks anew":   {"$JS.API.CONSUMER.DURABLE.CREATE.WORK.tokyo", `{"stream_name":"WORK","config":{"durable_name":"tokyo","ack_policy":"explicit"}}`, ""},
		"delete a consumer":                       {"$JS.API.CONSUMER.DELETE.WORK.seoul", "", ""},
		"delete its own consumer":                 {"$JS.API.CONSUMER.DELETE.WORK.tokyo", "", ""},
		"hold a consumer":                         {"$JS.API.CONSUMER.PAUSE.WORK.seoul", `{"pause_until":"2100-01-01T00:00:00Z"}`, ""},
		"make a stream":                           {"$JS.API.STREAM.CREATE.X", `{"name":"X","subjects":["x"]}`, ""},
		"change a stream":                         {"$JS.API.STREAM.UPDATE.WORK", `{"name":"WORK","subjects":["work.>"],"max_msgs":1}`, ""},
		"purge a stream":                          {"$JS.API.STREAM.PURGE.WORK", "", ""},
		"purge its own claims":                    {"$JS.API.STREAM.PURGE.KV_CLAIMS_tokyo", "", ""},
		"delete a stream":                         {"$JS.API.STREAM.DELETE.LEDGER", "", ""},
		"delete a message":                        {"$JS.API.STREAM.MSG.DELETE.WORK", `{"seq":1}`, ""},
		"list the streams":                        {"$JS.API.STREAM.NAMES", "", ""},
		"answer another's request":                {"_INBOX.seoul.1", "{}", ""},
		"have an answer published to the ledger":  {"$JS.API.CONSUMER.INFO.WORK.seoul", "", "ledger.record"},
		"have a pull acknowledge another's tasks": {"$JS.API.CONSUMER.MSG.NEXT.WORK.tokyo", `{"batch":1,"no_wait":true}`, "$JS.ACK.WORK.seoul.1.1.1.1700000000000000000.0"},
	}
	for name, a := range all {
		if rest, api := strings.CutPrefix(a.subject, "$JS.API."); api {
			all[name+", by the domain"] = attempt{"$JS." + access.Domain + ".API." + rest, a.body, a.reply}
		}
	}
	return all
}

// picture is all that the streams hold, and how far their consumers are.
func picture(ctx context.Context, t *testing.T, s *site) string {
	t.Helper()
	nc, _ := s.connect(s.seed(access.Hub))
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	streams := js.ListStreams(ctx)
	for info := range streams.Info() {
		config, err := json.Marshal(info.Config)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s %d %d %s\n", info.Config.Name, info.State.LastSeq, info.State.Msgs, config)
		stream, err := js.Stream(ctx, info.Config.Name)
		if err != nil {
			t.Fatal(err)
		}
		consumers := stream.ListConsumers(ctx)
		for c := range consumers.Info() {
			fmt.Fprintf(&out, "  %s %d %d %d %t\n", c.Name, c.Delivered.Consumer, c.NumAckPending, c.AckFloor.Consumer, c.Paused)
		}
		if consumers.Err() != nil {
			t.Fatal(consumers.Err())
		}
	}
	if streams.Err() != nil {
		t.Fatal(streams.Err())
	}
	return out.String()
}

// stock gives both groups a task, of which seoul's is in hand, and seoul a claim.
func stock(ctx context.Context, t *testing.T, s *site) {
	t.Helper()
	hub, worker := s.hub(ctx), s.mustBus(ctx, "seoul")
	err := errors.Join(
		hub.EnsureWork(ctx, "default", time.Minute),
		hub.PublishWork(ctx, "seoul", "a", "t-1", []byte("{}")), hub.PublishWork(ctx, "tokyo", "a", "t-2", []byte("{}")),
		hub.Pauses().Put(ctx, "rule/x", nil), hub.PublishDead(ctx, "seoul", "a", "t", "r", nil),
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hub.AppendLedger(ctx, 0, "r-1", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if _, err := hub.PublishInbox(ctx, "delivery", "d", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	if _, err := worker.Claims("seoul").Create(ctx, "t-1", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	q, err := worker.Work(ctx, "seoul", []string{"a"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Next(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestAGroupCannotDoAnythingElse: each attempt is denied in words, and changes
// nothing.
func TestAGroupCannotDoAnythingElse(t *testing.T) {
	t.Parallel()
	ctx, s := within(t), newSite(t)
	stock(ctx, t, s)
	before := picture(ctx, t, s)
	nc, denied := s.connect(s.seed("tokyo"))
	for name, a := range attempts() {
		if err := nc.PublishMsg(&nats.Msg{Subject: a.subject, Reply: a.reply, Data: []byte(a.body)}); err != nil {
			t.Fatal(err)
		}
		if err := nc.FlushWithContext(ctx); err != nil {
			t.Fatal(err)
		}
		expectDenial(t, name, denied)
	}
	for _, subject := range []string{">", "work.>", "inbox.>", "ledger.>", "quarantine.>", "dead.>", "$KV.>", "$JS.>", "$SYS.>", "_R_.>", "*.*"} {
		if _, err := nc.SubscribeSync(subject); err != nil {
			t.Fatal(err)
		}
		expectDenial(t, "subscribe to "+subject, denied)
	}
	if after := picture(ctx, t, s); after != before {
		t.Errorf("the streams were\n%s\nand are\n%s", before, after)
	}
}

func expectDenial(t *testing.T, name string, denied <-chan error) {
	t.Helper()
	select {
	case err := <-denied:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("%s: %v", name, err)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("%s: it was not denied", name)
	}
}

// TestTheAccountAloneHoldsAGroup: nothing of it rests on the permissions within
// the group's account, nor on what its requests say.
func TestTheAccountAloneHoldsAGroup(t *testing.T) {
	t.Parallel()
	ctx, s := within(t), newSite(t)
	permissions := regexp.MustCompile(`, permissions: \{publish: \{.*?\}, subscribe: \{.*?\}\}`)
	file := filepath.Join(s.dir, access.AccountsFile)
	bare := permissions.ReplaceAllString(read(t, file), "")
	if strings.Contains(bare, "permissions") || !strings.Contains(bare, "imports") {
		t.Fatalf("not the file that is meant:\n%s", bare)
	}
	s.write(file, bare)
	s.reload()
	stock(ctx, t, s)
	seoul := s.mustBus(ctx, "seoul")
	before := picture(ctx, t, s)

	nc, _ := s.connect(s.seed("tokyo"))
	overheard, err := nc.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.FlushWithContext(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := seoul.Pauses().List(ctx); err != nil {
		t.Fatal(err)
	}
	if _, _, err := seoul.Claims("seoul").Get(ctx, "t-1"); err != nil {
		t.Fatal(err)
	}
	if err := nc.FlushWithContext(ctx); err != nil {
		t.Fatal(err)
	}
	if n, _, err := overheard.Pending(); n != 0 || err != nil {
		t.Errorf("overheard %d messages, %v", n, err)
	}
	for _, a := range attempts() {
		if err := nc.PublishMsg(&nats.Msg{Subject: a.subject, Reply: a.reply, Data: []byte(a.body)}); err != nil {
			t.Fatal(err)
		}
	}
	// What it may ask, it has answered where it must not write.
	for _, right := range access.Rights("tokyo") {
		if !strings.Contains(right.Subject, ".INFO.") && !strings.Contains(right.Subject, ".GET.") {
			continue
		}
		for _, reply := range []string{"ledger.record", "$KV.PAUSES.all", "inbox.command", "work.seoul.a", "$KV.CLAIMS_seoul.t-9", "$JS.API.STREAM.PURGE.WORK"} {
			if err := nc.PublishRequest(right.Local, reply, []byte(`{"seq":1}`)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := nc.FlushWithContext(ctx); err != nil {
		t.Fatal(err)
	}
	// Another's requests are answered after all of these.
	if _, err := seoul.Pauses().List(ctx); err != nil {
		t.Fatal(err)
	}
	if err := nc.FlushWithContext(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := seoul.Pauses().List(ctx); err != nil { // asked, and so answered, after all of these
		t.Fatal(err)
	}
	if after := picture(ctx, t, s); after != before {
		t.Errorf("the streams were\n%s\nand are\n%s", before, after)
	}
}

func TestAFileOfCredentialsThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"empty": "", "text": "hello\n", "another kind": "SAAAA\n"} {
		file := filepath.Join(t.TempDir(), "x.nk")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := bus.Open(within(t), bus.Config{URL: "nats://127.0.0.1:1", Credentials: file})
		if err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
