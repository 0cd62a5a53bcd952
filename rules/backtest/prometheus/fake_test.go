package prometheus_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"
)

// epoch is when every history begins.
func epoch() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func after(d time.Duration) time.Time { return epoch().Add(d) }

// was is one firing: [from, until), whose expression became true at active.
type was struct {
	labels              map[string]string
	active, from, until time.Time
}

// server answers query_range as Prometheus does: its parameters, its limits, its
// errors. What it does not know it refuses.
type server struct {
	t       testing.TB
	alerts  []was
	down    [][2]time.Time
	noUp    bool
	samples int // the most that a query may load
	token   string

	mu      sync.Mutex
	fail    []int // statuses of the next answers
	queries int
	refused int
}

func (s *server) start() string {
	s.t.Helper()
	srv := httptest.NewServer(s)
	s.t.Cleanup(srv.Close)
	return srv.URL
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method != http.MethodPost || r.URL.Path != "/api/v1/query_range" {
		http.NotFound(w, r)
		return
	}
	if s.token != "" && r.Header.Get("Authorization") != "Bearer "+s.token {
		http.Error(w, "who are you", http.StatusUnauthorized)
		return
	}
	s.queries++
	if len(s.fail) > 0 {
		status := s.fail[0]
		s.fail = s.fail[1:]
		http.Error(w, "not now", status)
		return
	}
	start, end, step := s.number(r, "start"), s.number(r, "end"), s.number(r, "step")
	if step <= 0 || end < start {
		s.refuse(w, http.StatusBadRequest, "bad_data", "invalid parameter")
		return
	}
	if (end-start)/step > 11_000 {
		s.refuse(w, http.StatusBadRequest, "bad_data", "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)")
		return
	}
	var grid []time.Time
	for at := start; at <= end; at += step {
		grid = append(grid, time.UnixMilli(int64(at*1000)).UTC())
	}
	result, n := s.evaluate(r.PostFormValue("query"), grid)
	if s.samples > 0 && n > s.samples {
		s.refuse(w, http.StatusUnprocessableEntity, "execution", "query processing would load too many samples into memory in query execution")
		return
	}
	s.write(w, http.StatusOK, map[string]any{"status": "success", "data": map[string]any{"resultType": "matrix", "result": result}})
}

func (s *server) refuse(w http.ResponseWriter, status int, kind, text string) {
	s.refused++
	s.write(w, status, map[string]any{"status": "error", "errorType": kind, "error": text})
}

func (s *server) write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.t.Error(err)
	}
}

func (s *server) number(r *http.Request, name string) float64 {
	v, err := strconv.ParseFloat(r.PostFormValue(name), 64)
	if err != nil {
		s.t.Errorf("%s: %v", name, err)
	}
	return v
}

type stream struct {
	Metric map[string]string `json:"metric"`
	Values [][2]any          `json:"values"`
}

func (s *server) evaluate(query string, grid []time.Time) (result []*stream, samples int) {
	result = []*stream{}
	if query == "count(up)" {
		up := &stream{Metric: map[string]string{}}
		for _, at := range grid {
			if !s.noUp && !s.isDown(at) {
				up.add(at, "3")
			}
		}
		if len(up.Values) > 0 {
			result = append(result, up)
		}
		return result, len(up.Values)
	}
	byName := map[string]*stream{}
	for _, a := range s.alerts {
		labels := maps.Clone(a.labels)
		switch query {
		case `ALERTS{alertstate="firing"}`:
			labels["__name__"], labels["alertstate"] = "ALERTS", "firing"
		case "ALERTS_FOR_STATE":
			labels["__name__"] = "ALERTS_FOR_STATE"
		default:
			s.t.Errorf("query %s is not known", query)
		}
		key := fmt.Sprint(labels)
		if byName[key] == nil {
			byName[key] = &stream{Metric: labels}
		}
		for _, at := range grid {
			if at.Before(a.from) || !at.Before(a.until) || s.isDown(at) {
				continue
			}
			samples++
			if labels["alertstate"] != "" {
				byName[key].add(at, "1")
			} else {
				byName[key].add(at, strconv.FormatInt(a.active.Unix(), 10))
			}
		}
	}
	for _, one := range byName {
		if len(one.Values) > 0 {
			result = append(result, one)
		}
	}
	return result, samples
}

func (s *stream) add(at time.Time, value string) {
	s.Values = append(s.Values, [2]any{float64(at.UnixMilli()) / 1000, value})
}

func (s *server) isDown(at time.Time) bool {
	for _, d := range s.down {
		if !at.Before(d[0]) && at.Before(d[1]) {
			return true
		}
	}
	return false
}
