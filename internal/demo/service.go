package demo

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

// fault is what is wrong with a service.
type fault string

const (
	healthy fault = ""
	// staleCache goes away when the caches are cleared.
	staleCache fault = "cache holds entries of a schema that is gone"
	// deadlock goes away only by a restart.
	deadlock fault = "all worker threads wait for each other"
)

// restartTakes is how long a service is away while it restarts.
const restartTakes = 700 * time.Millisecond

// service is one Spring-Boot-style service, with its management endpoints:
// GET /actuator/health, DELETE /actuator/caches, POST /actuator/restart.
type service struct {
	name string

	mu       sync.Mutex
	fault    fault
	upAgain  time.Time
	requests map[string]int
}

func newService(name string) *service {
	return &service{name: name, requests: map[string]int{}}
}

func (s *service) breakWith(f fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// counted is how many requests of a kind came in, "DELETE /actuator/caches".
func (s *service) counted(request string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[request]
}

// up reports health as the service itself knows it.
func (s *service) up() (bool, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.upAgain) {
		return false, "starting"
	}
	return s.fault == healthy, string(s.fault)
}

// ServeHTTP implements http.Handler.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := r.Method + " " + r.URL.Path
	s.mu.Lock()
	s.requests[request]++
	switch request {
	case "POST /demo/break":
		s.fault = staleCache
	case "DELETE /actuator/caches":
		if s.fault == staleCache {
			s.fault = healthy
		}
	case "POST /actuator/restart":
		s.fault, s.upAgain = healthy, time.Now().Add(restartTakes)
	}
	s.mu.Unlock()
	switch request {
	case "GET /actuator/health":
		s.health(w)
	case "DELETE /actuator/caches", "POST /actuator/restart", "POST /demo/break":
		w.WriteHeader(http.StatusNoContent)
	default:
		http.NotFound(w, r)
	}
}

func (s *service) health(w http.ResponseWriter) {
	up, why := s.up()
	w.Header().Set("Content-Type", "application/json")
	body := map[string]any{"status": "UP"}
	if !up {
		w.WriteHeader(http.StatusServiceUnavailable)
		body = map[string]any{"status": "DOWN", "details": map[string]string{"error": why}}
	}
	_ = json.NewEncoder(w).Encode(body) // a probe that hung up asks again
}

// town serves many services under one address, /NAME/actuator/...
type town map[string]*service

// ServeHTTP implements http.Handler.
func (t town) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	s, ok := t[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	http.StripPrefix("/"+name, s).ServeHTTP(w, r)
}
