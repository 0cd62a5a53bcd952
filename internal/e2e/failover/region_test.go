package failover_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
)

// region is one's services, as far as they are looked at.
type region struct {
	server *httptest.Server
	sick   atomic.Bool
	// seen is whether it is sick as seen from Japan, where that differs.
	seen   atomic.Bool
	places atomic.Int64
	// cleared counts how often its caches were.
	cleared atomic.Int64
	// asked, unless it is nil, is called while a look at its health is held.
	asked atomic.Pointer[func()]
}

func newRegion(places int64) *region {
	r := &region{}
	r.places.Store(places)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /actuator/health", func(w http.ResponseWriter, _ *http.Request) { r.health(w, r.sick.Load()) })
	mux.HandleFunc("GET "+fromJapan+"/actuator/health", func(w http.ResponseWriter, _ *http.Request) { r.health(w, r.seen.Load()) })
	mux.HandleFunc("GET /api/places/count", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintf(w, `{"count": %d}`, r.places.Load()) })
	mux.HandleFunc("DELETE /actuator/caches", func(w http.ResponseWriter, _ *http.Request) {
		r.cleared.Add(1)
		w.WriteHeader(http.StatusNoContent)
	})
	r.server = httptest.NewServer(mux)
	return r
}

// fromJapan is the path by which Japan asks for Korea's health in tests where it may see another one.
const fromJapan = "/from-japan"

func (r *region) health(w http.ResponseWriter, sick bool) {
	if do := r.asked.Swap(nil); do != nil {
		(*do)()
	}
	if sick {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprint(w, `{"status": "DOWN"}`)
		return
	}
	_, _ = fmt.Fprint(w, `{"status": "UP"}`)
}

// notice is what people are told, as far as it is looked at.
type notice struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	Text string `json:"text"`
	Run  string `json:"run"`
	Rule string `json:"rule"`
}

// phone is the webhook that people are told by.
type phone struct {
	server *httptest.Server

	mu   sync.Mutex
	told []notice
}

func newPhone() *phone {
	p := &phone{}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Notice notice `json:"notice"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, n := range p.told {
			if n.ID == body.Notice.ID { // once more, after a kill
				return
			}
		}
		p.told = append(p.told, body.Notice)
	}))
	return p
}

// of are the notices about a run, by their kind.
func (p *phone) of(run string) map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	kinds := map[string]int{}
	for _, n := range p.told {
		if n.Run == run {
			kinds[n.Kind]++
		}
	}
	return kinds
}
