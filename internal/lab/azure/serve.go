package azure

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// request is one to Resource Manager whose outer form is right.
type request struct {
	method string
	// rest is the path behind the id of the resource; empty for the resource itself.
	rest    string
	body    []byte
	ifMatch string
	id      string // the client's, of the request
}

// resource is one that there is. Its methods are called with the cloud's lock held.
type resource interface {
	// version is the API's that it is asked in.
	version() string
	// serve answers what only reads, or says what is to be changed. The error is that the real one has no such call.
	serve(r request) (answer, *change, error)
}

// change is one that was asked for in the right form. Apply makes it, or refuses, and says whether it was made;
// of the fault it looks at what comes after the answer.
type change struct {
	kind  Kind
	apply func(f Fault) (a answer, made bool)
}

// ServeHTTP implements [http.Handler] for Entra and Resource Manager, which share the address.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	if tail, ok := strings.CutPrefix(r.URL.Path, "/"+Tenant+"/"); ok {
		c.entra(tail, r, body).write(w)
		return
	}
	if a, ok := c.followed(r); ok {
		a.write(w)
		return
	}
	if a, ok := c.activity(r); ok {
		a.write(w)
		return
	}
	a, asked, err := c.find(r, body)
	switch {
	case err != nil:
		c.strange(r, err).write(w)
	case asked != nil:
		c.make(w, r, *asked)
	default:
		a.write(w)
	}
}

// strange notes what the real one would not take.
func (c *Cloud) strange(r *http.Request, err error) answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused = append(c.refused, r.Method+" "+r.URL.String()+": "+err.Error())
	return refusal(http.StatusBadRequest, "NotAsDocumented", "%v", err)
}

// find checks a request and has its resource answer it.
func (c *Cloud) find(r *http.Request, body []byte) (answer, *change, error) {
	if token := r.Header.Get("Authorization"); token != "Bearer "+c.token {
		return answer{}, nil, strangef("the token is none of ours")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var found resource
	var id string
	for known, each := range c.resources {
		if path := strings.ToLower(r.URL.Path); (path == known || strings.HasPrefix(path, known+"/")) && len(known) > len(id) {
			found, id = each, known
		}
	}
	if found == nil {
		return refusal(http.StatusNotFound, "ResourceNotFound", "there is no resource %s", r.URL.Path), nil, nil
	}
	if version := r.URL.Query().Get("api-version"); version != found.version() {
		return answer{}, nil, strangef("api-version is %q, want %q", version, found.version())
	}
	if err := checkHeader(r, body); err != nil {
		return answer{}, nil, err
	}
	a, asked, err := found.serve(request{
		method: r.Method, rest: strings.TrimPrefix(r.URL.Path[len(id):], "/"), body: body,
		ifMatch: r.Header.Get("If-Match"), id: r.Header.Get(requestIDHeader),
	})
	if err == nil && asked != nil && !uuid.MatchString(r.Header.Get(requestIDHeader)) {
		err = strangef("a change without a UUID in %s: %q", requestIDHeader, r.Header.Get(requestIDHeader))
	}
	return a, asked, err
}

const requestIDHeader = "X-Ms-Client-Request-Id"

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func checkHeader(r *http.Request, body []byte) error {
	switch {
	case r.Header.Get("Accept") != "application/json":
		return strangef("Accept is %q", r.Header.Get("Accept"))
	case !strings.Contains(r.UserAgent(), "azsdk-go-"):
		return strangef("the user agent is %q, not the SDK", r.UserAgent())
	case len(body) > 0 && r.Header.Get("Content-Type") != "application/json":
		return strangef("a body of type %q", r.Header.Get("Content-Type"))
	case len(body) > 0 && !json.Valid(body):
		return strangef("the body is no JSON: %s", body)
	case r.Method == http.MethodGet && len(body) > 0:
		return strangef("a GET with a body: %s", body)
	}
	return nil
}

// make makes a change, with what happens to it.
func (c *Cloud) make(w http.ResponseWriter, r *http.Request, asked change) {
	fault := c.fault(asked.kind)
	if fault.Status != 0 {
		a := refusal(fault.Status, fault.Code, "refused by the test")
		if fault.RetryAfter > 0 {
			a.header = map[string]string{"Retry-After": strconv.Itoa(int(fault.RetryAfter.Seconds()))}
		}
		c.note(r, asked.kind, a, false)
		a.write(w)
		return
	}
	fault.happens(Arrived)
	c.mu.Lock()
	a, made := asked.apply(fault)
	c.mu.Unlock()
	c.note(r, asked.kind, a, made)
	fault.happens(Applied)
	a.write(w)
	if fault.At != Answered {
		return
	}
	_ = http.NewResponseController(w).Flush() // or the client is gone
	fault.happens(Answered)
}

// note keeps what became of a change.
func (c *Cloud) note(r *http.Request, kind Kind, a answer, made bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if made {
		c.effects[kind]++
	}
	c.changes = append(c.changes, Change{Kind: kind, RequestID: r.Header.Get(requestIDHeader), Status: a.status, Made: made})
}

// happens does what is to happen at a moment. It does not return if the connection is cut.
func (f Fault) happens(at Moment) {
	if f.At != at {
		return
	}
	if f.Do != nil {
		f.Do()
	}
	if f.Cut {
		panic(http.ErrAbortHandler)
	}
}

// decode reads a body as strictly as Azure's own documentation of it is.
func decode(body []byte, v any) error {
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return strangef("the body %s: %v", body, err)
	}
	return nil
}
