package access

import (
	"strings"

	"github.com/tripgen/paramedic/internal/bus"
	"github.com/tripgen/paramedic/internal/engine"
)

// Domain is the JetStream domain by which a group's account reaches the hub's
// streams: "bus.domain" in the worker's configuration. Its own account has none.
const Domain = "paramedic"

// Right is one subject of the hub's account that a group may send requests to.
type Right struct {
	// Subject is the hub's, Local what the group calls it.
	Subject, Local string
	// Many says that one request may be answered by several messages.
	Many bool
	// What it is for, in a few words.
	What string
}

// Rights are all that the workers of a group may do on the bus.
func Rights(group string) []Right {
	var all []Right
	add := func(what string, subjects ...string) {
		for _, s := range subjects {
			r := Right{Subject: s, Local: s, What: what}
			if rest, api := strings.CutPrefix(s, "$JS.API."); api {
				r.Local = "$JS." + Domain + ".API." + rest
				r.Many = strings.HasPrefix(rest, "CONSUMER.MSG.NEXT.")
			}
			all = append(all, r)
		}
	}
	for _, queue := range []string{group, engine.VerifyGroup(group)} {
		add("pull tasks", "$JS.API.CONSUMER.MSG.NEXT."+bus.StreamWork+"."+queue)
		add("how soon a task comes again", "$JS.API.CONSUMER.INFO."+bus.StreamWork+"."+queue)
		add("acknowledge a task, keep it alive, put it back", "$JS.ACK."+bus.StreamWork+"."+queue+".>")
		add("answer", "inbox."+bus.ResultKind(queue))
		add("dead letters", "dead."+queue+".>")
	}
	claims := bus.ClaimsBucket(group)
	add("write claims", "$KV."+claims+".*")
	add("read claims", "$JS.API.STREAM.MSG.GET.KV_"+claims, "$JS.API.STREAM.INFO.KV_"+claims)
	add("read the kill switch", "$JS.API.STREAM.MSG.GET.KV_"+bus.BucketPauses, "$JS.API.STREAM.INFO.KV_"+bus.BucketPauses)
	return all
}
