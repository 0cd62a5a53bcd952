package remediatortest

import (
	"bufio"
	"crypto/x509"
	"net/http"
	"testing"
	"time"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// Subject is what the suite tries.
type Subject struct {
	// Target is the URL of the real end, or, for TCP, its host:port. Transport is
	// how the proxy reaches it by HTTP; nil is net/http's default.
	Target    string
	Transport http.RoundTripper
	// Next reads one request from a stream, for TCP: its bytes, and whether it
	// changes something. What only reads passes the proxy.
	Next func(*bufio.Reader) (request []byte, changes bool, err error)
	// Reads tells of an HTTP request that it changes nothing, beside GET and HEAD;
	// nil if there is none such.
	Reads func(*http.Request) bool
	// Answers are what the proxy says in the target's place, without anything being
	// changed; nil means those of HTTP, by status.
	Answers []Answer
	// Protocol is what the proxy speaks to the remediator.
	Protocol Protocol
	// Open makes the remediator, talking to the end in place of Target. It is
	// called with the proxy, and with an end where nobody listens.
	Open func(t *testing.T, end End) Bench
	// Secrets occur in the tasks' parameters or in the credentials. None may
	// show in anything that the remediator returns.
	Secrets []string
}

// Answer is a refusal, or an odd answer, and what must become of it.
type Answer struct {
	// Status and Header are of HTTP, Raw is the whole answer of TCP.
	Status int
	Header http.Header
	Raw    string
	// Want is the class of the error. Of one that is unknown, trying again is as
	// good where that does no harm.
	Want engine.Class
	// After is when to try again, where the answer says so.
	After time.Duration
}

// Protocol is one of HTTP1, HTTPS1, HTTP2 and TCP.
type Protocol string

// The protocols: HTTP/1.1 in clear, the same under TLS, HTTP/2 under TLS, and
// whatever else goes over TCP in clear. They fail differently: a lost call ends a
// connection of the first two, but only a stream of the third.
const (
	HTTP1  Protocol = "http/1.1"
	HTTPS1 Protocol = "https/1.1"
	HTTP2  Protocol = "https/2"
	TCP    Protocol = "tcp"
)

// End is something to connect to.
type End struct {
	// URL is tcp://host:port for TCP.
	URL string
	// Certificate is the authority to trust; nil without TLS.
	Certificate *x509.Certificate
}

// Bench is a remediator and what to try it on.
type Bench struct {
	Remediator remediators.Remediator
	// Fresh makes a target that nothing else touches.
	Fresh func(t *testing.T) Scene
	// Missing is a task whose target does not exist, or points at nothing.
	Missing engine.Task
}

// Scene is one target and a look at it from outside.
type Scene struct {
	// Task has Target and Params; the suite sets the rest.
	Task engine.Task
	// Effects counts the changes that the target has made for the remediator.
	Effects func(t *testing.T) int
	// Change is somebody else's hand: it makes the target another one than a
	// plan has seen, and, where the task asks for a state, one that is not in it. It
	// may be nil if the remediator is not Fenced, can always act and has no Undo.
	Change func(t *testing.T)
	// State shows what Undo must put back. It may be nil if there is no Undo.
	State func(t *testing.T) string
}
