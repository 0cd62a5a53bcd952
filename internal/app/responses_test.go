package app

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/config"
	"github.com/tripgen/paramedic/internal/manual"
	"github.com/tripgen/paramedic/receiver"
)

// situations are what can happen to a request, by the words of the page: each brings it about and returns the answer.
func situations() map[string]func(t *testing.T, kind string) answered {
	plain := func(request func(e *edge, b bodies) answered) func(*testing.T, string) answered {
		return func(t *testing.T, kind string) answered {
			t.Helper()
			return request(newEdge(t, kind, nil), bodiesOf(t, kind))
		}
	}
	with := func(change func(*receiver.Options), request func(e *edge, b bodies) answered) func(*testing.T, string) answered {
		return func(t *testing.T, kind string) answered {
			t.Helper()
			return request(newEdge(t, kind, change), bodiesOf(t, kind))
		}
	}
	fine := func(e *edge, b bodies) answered { return e.post(b.fine) }
	return map[string]func(*testing.T, string) answered{
		// Of the body.
		"the alerts are stored":                    plain(fine),
		"some alerts of the body cannot be used":   plain(func(e *edge, b bodies) answered { return e.post(b.partly) }),
		"a ping, a test or a note: nothing to do":  plain(func(e *edge, b bodies) answered { return e.post(b.nothing) }),
		"the body cannot be decoded":               plain(func(e *edge, b bodies) answered { return e.post(b.fine[:len(b.fine)/2]) }),
		"the body has too many alerts":             plain(func(e *edge, b bodies) answered { return e.post(b.many) }),
		"its only alert is too large to be stored": tooLarge,
		"the body ended early":                     plain(func(e *edge, _ bodies) answered { return e.partial(true) }),

		"the body took too long": with(func(o *receiver.Options) { o.BodyTimeout = 50 * time.Millisecond }, func(e *edge, _ bodies) answered {
			return e.partial(false)
		}),
		"the body is too large": with(func(o *receiver.Options) { o.MaxBody = 100 }, func(e *edge, b bodies) answered {
			return e.post(b.fine + strings.Repeat(" ", 100))
		}),

		// Of the request.
		"a handshake":                  plain(handshake),
		"OPTIONS that is no handshake": plain(func(e *edge, _ bodies) answered { return e.send(http.MethodOptions, "") }),
		"no source has this name":      plain(func(e *edge, b bodies) answered { return e.source("-absent").post(b.fine) }),
		"another method":               plain(func(e *edge, b bodies) answered { return e.send(http.MethodDelete, b.fine) }),
		"another Content-Type":         plain(func(e *edge, b bodies) answered { return e.post(b.fine, "Content-Type", "image/png") }),
		"a Content-Encoding":           plain(func(e *edge, b bodies) answered { return e.post(b.fine, "Content-Encoding", "gzip") }),

		// Of what it shows.
		"credentials are missing or wrong":      plain(withoutCredentials),
		"signed too long ago, or in the future": plain(stale),
		"the signature was accepted before":     plain(replayed),
		"the caller is known, but not allowed":  plain(func(e *edge, b bodies) answered { return e.source("-known").post(b.fine) }),
		"the address is not under allow":        plain(func(e *edge, b bodies) answered { return e.source("-elsewhere").post(b.fine) }),
		"credentials cannot be checked now":     plain(func(e *edge, b bodies) answered { return e.source("-broken").post(b.fine) }),

		"too many failed attempts from the address": with(func(o *receiver.Options) { o.FailureBurst, o.FailureEvery = 1, time.Hour }, func(e *edge, b bodies) answered {
			withoutCredentials(e, b)
			return e.post(b.fine)
		}),
		"more signatures than can be remembered": with(func(o *receiver.Options) { o.MaxSignatures = 1 }, func(e *edge, b bodies) answered {
			e.source("-signed").post(b.fine, signature(b.fine, 0)...)
			return e.post(b.fine+" ", signature(b.fine+" ", 0)...)
		}),

		// Of the program.
		"it could not be made durable": plain(busAway),
		"too much at once":             with(func(o *receiver.Options) { o.MaxQueue, o.MaxGroup = 1, 1 }, tooMuch),
		"a fault of Paramedic's own":   plain(panicking),
		"shutting down":                plain(closing),
	}
}

func withoutCredentials(e *edge, b bodies) answered {
	e.t.Helper()
	wrong := e.post(b.fine, "Authorization", "Bearer wrong")
	missing := e.post(b.fine, "Authorization", "")
	if wrong.status != missing.status {
		return wrong
	}
	if missing.status == http.StatusUnauthorized && missing.header.Get("WWW-Authenticate") == "" {
		e.t.Error("a 401 without a challenge")
	}
	return missing
}

// handshake is Event Grid's validation, and that of CloudEvents.
func handshake(e *edge, _ bodies) answered {
	e.t.Helper()
	asked := e.send(http.MethodOptions, "", "WebHook-Request-Origin", "eventgrid.azure.net", "Content-Type", "")
	if asked.header.Get("WebHook-Allowed-Origin") != "eventgrid.azure.net" || asked.header.Get("WebHook-Allowed-Rate") == "" {
		e.t.Errorf("the origin is not allowed: %+v", asked)
	}
	validation := e.post(`[{"id":"1","eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"c-1"}}]`,
		"Aeg-Event-Type", "SubscriptionValidation")
	if validation.body != `{"validationResponse":"c-1"}` {
		e.t.Errorf("the validation is answered with %q", validation.body)
	}
	if asked.status != validation.status {
		return asked
	}
	return validation
}

func stale(e *edge, b bodies) answered {
	e.t.Helper()
	e.source("-signed")
	future, past := e.post(b.fine, signature(b.fine, -time.Hour)...), e.post(b.fine, signature(b.fine, time.Hour)...)
	if future.status != past.status {
		return future
	}
	return past
}

func replayed(e *edge, b bodies) answered {
	e.t.Helper()
	headers := signature(b.fine, 0)
	if first := e.source("-signed").post(b.fine, headers...); first.status != http.StatusAccepted {
		e.t.Errorf("signed and fresh: %d %s", first.status, first.body)
	}
	return e.post(b.fine, headers...)
}

// busAway fails both where alerts go and where bodies do.
func busAway(e *edge, b bodies) answered {
	e.t.Helper()
	e.store.fault = func(context.Context) error { return errors.New("no quorum") }
	kept, stored := e.post("rubbish"), e.post(b.fine)
	if kept.status != stored.status {
		return kept
	}
	return stored
}

// tooMuch fills the place in the bus and the one in the queue.
func tooMuch(e *edge, b bodies) answered {
	e.t.Helper()
	open := make(chan struct{})
	e.store.fault = func(context.Context) error { <-open; return nil }
	const senders = 3
	answers, errs := make(chan answered, senders), make(chan error, senders)
	for range senders {
		go func() {
			got, err := e.try(http.MethodPost, b.fine)
			answers <- got
			errs <- err
		}()
	}
	refused := <-answers // the others are not answered before the bus opens
	close(open)
	for range senders {
		if err := <-errs; err != nil {
			e.t.Error(err)
		}
	}
	return refused
}

func panicking(e *edge, _ bodies) answered {
	e.t.Helper()
	e.store.fault = func(context.Context) error { panic("a fault") }
	return e.post("rubbish")
}

func closing(e *edge, b bodies) answered {
	e.t.Helper()
	if err := e.Close(e.t.Context()); err != nil {
		e.t.Fatal(err)
	}
	return e.post(b.fine)
}

func tooLarge(t *testing.T, kind string) answered {
	t.Helper()
	// One message of the stream is an eighth of what the bus takes.
	e := newEdge(t, kind, func(o *receiver.Options) { o.Publisher = &store{max: 128 << 10, fault: stored} })
	return e.post(bodiesOf(t, kind).large)
}

// row is one line of the page's table of answers.
type row struct {
	situation, problem string
	status             map[string]int // by type of source; 0 where it cannot happen
}

// cells reads the table of the page that has this head.
func cells(t *testing.T, head string) [][]string {
	t.Helper()
	_, table, found := strings.Cut(manual.Responses, "\n| "+head+" |")
	if !found {
		t.Fatalf("the page has no table of %s", head)
	}
	table, _, _ = strings.Cut("| "+head+" |"+table, "\n\n")
	var all [][]string
	for i, line := range strings.Split(table, "\n") {
		if i == 1 {
			continue // the rule below the head
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for k := range cells {
			cells[k] = strings.TrimSpace(cells[k])
		}
		all = append(all, cells)
	}
	return all
}

func documented(t *testing.T) []row {
	t.Helper()
	table := cells(t, "what happened")
	kinds := table[0][2:]
	if !slices.Equal(kinds, config.SourceTypes()) {
		t.Fatalf("the page's columns are %v, the types of source %v", kinds, config.SourceTypes())
	}
	rows := make([]row, len(table)-1)
	for i, line := range table[1:] {
		rows[i] = row{situation: line[0], problem: line[1], status: map[string]int{}}
		for k, kind := range kinds {
			if text := line[2+k]; text != "-" {
				status, err := strconv.Atoi(text)
				if err != nil {
					t.Fatalf("%s: %v", line[0], err)
				}
				rows[i].status[kind] = status
			}
		}
	}
	return rows
}

// quarantines are the situations after which a body is in quarantine.
func quarantines(situation string) bool {
	return slices.Contains([]string{
		"some alerts of the body cannot be used", "the body cannot be decoded", "the body has too many alerts", "its only alert is too large to be stored",
	}, situation)
}

// TestEveryAnswerIsAsThePageSays brings each situation about for each type of source.
func TestEveryAnswerIsAsThePageSays(t *testing.T) {
	t.Parallel()
	known := situations()
	for _, r := range documented(t) {
		bring, ok := known[r.situation]
		if !ok {
			t.Errorf("the page has %q, which nothing here brings about", r.situation)
			continue
		}
		delete(known, r.situation)
		for kind, want := range r.status {
			t.Run(r.situation+"/"+kind, func(t *testing.T) {
				t.Parallel()
				got := bring(t, kind)
				if got.status != want {
					t.Fatalf("%d %s; the page says %d", got.status, got.body, want)
				}
				if problem := got.problem(t); want >= 300 && problem != r.problem {
					t.Errorf("the problem is %q; the page says %q", problem, r.problem)
				}
				if (got.header.Get("Retry-After") != "") != (want == http.StatusServiceUnavailable) {
					t.Errorf("Retry-After is %q", got.header.Get("Retry-After"))
				}
				if quarantines(r.situation) != (got.kept > 0) && want != http.StatusServiceUnavailable {
					t.Errorf("%d bodies in quarantine", got.kept)
				}
			})
		}
	}
	for situation := range known {
		t.Errorf("the page does not have %q", situation)
	}
}

// sender is what a type of sender does after a status, as its vendor says.
type sender struct {
	kind string
	does func(status int) string
}

func senders() map[string]sender {
	delivered := func(status int) bool { return status/100 == 2 }
	return map[string]sender{
		"Alertmanager": {"alertmanager", func(status int) string {
			switch {
			case delivered(status):
				return "delivered"
			case status >= 500:
				return "again"
			}
			return "later"
		}},
		"Grafana": {"grafana", func(status int) string {
			if delivered(status) {
				return "delivered"
			}
			return "later"
		}},
		"Azure Monitor": {"azuremonitor", func(status int) string {
			switch {
			case delivered(status):
				return "delivered"
			case slices.Contains([]int{408, 429, 503, 504}, status):
				return "again"
			}
			return "lost"
		}},
		"PagerDuty": {"pagerduty", func(status int) string {
			switch {
			case delivered(status):
				return "delivered"
			case status >= 500, status == http.StatusTooManyRequests:
				return "again"
			}
			return "strike"
		}},
		"Event Grid": {"cloudevents", func(status int) string {
			switch {
			case status >= 200 && status <= 204:
				return "delivered"
			case slices.Contains([]int{400, 401, 403, 413}, status):
				return "dead"
			}
			return "again"
		}},
	}
}

// TestEverySenderDoesWhatIsNeeded holds the page's second table to what senders do, and the answers of the first to
// what has to become of an alert.
func TestEverySenderDoesWhatIsNeeded(t *testing.T) {
	t.Parallel()
	table := cells(t, "status")
	does := map[int]map[string]string{} // by status and sender, as the page says
	for _, line := range table[1:] {
		for text := range strings.SplitSeq(line[0], ", ") {
			status, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			does[status] = map[string]string{}
			for k, name := range table[0][1:] {
				does[status][name] = line[1+k]
				if want := senders()[name].does; want == nil || want(status) != line[1+k] {
					t.Errorf("the page says that %s takes %d for %q", name, status, line[1+k])
				}
			}
		}
	}
	for _, r := range documented(t) {
		for name, s := range senders() {
			status, happens := r.status[s.kind]
			if !happens {
				continue
			}
			then := does[status][name]
			switch {
			case then == "":
				t.Errorf("the page does not say what %s does after %d", name, status)
			case status == http.StatusServiceUnavailable && then != "again" && then != "later":
				t.Errorf("%s: after %d %s does not come again", r.situation, status, name)
			case r.problem == "" && then != "delivered":
				t.Errorf("%s: %s does not take %d for delivered", r.situation, name, status)
			case name == "PagerDuty" && quarantines(r.situation) && then != "delivered":
				t.Errorf("%s: %d is a strike, for what is in quarantine", r.situation, status)
			}
		}
	}
}
