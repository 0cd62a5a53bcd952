package azure

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// answer is one to a request. The body is sent as JSON unless it is nil.
type answer struct {
	status int
	header map[string]string
	body   any
}

func (a answer) write(w http.ResponseWriter) {
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body) // a client that is gone notices itself
}

// refusal is an answer in Azure's form of errors.
func refusal(status int, code, format string, args ...any) answer {
	return answer{status: status, body: map[string]any{"error": map[string]any{"code": code, "message": fmt.Sprintf(format, args...)}}}
}

// strange is a request that the real one would not take.
type strange struct{ text string }

func (s strange) Error() string { return s.text }

func strangef(format string, args ...any) error { return strange{fmt.Sprintf(format, args...)} }
