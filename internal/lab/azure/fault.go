package azure

import "time"

// Kind is a kind of change.
type Kind string

// The changes that there are.
const (
	EndpointChange Kind = "an endpoint of Traffic Manager is changed"
	FailoverChange Kind = "the failover priorities of a Cosmos DB account are changed"
	RecordChange   Kind = "a DNS record is changed"
	PipelineRun    Kind = "a pipeline is run"
)

// Kinds are all kinds of change.
func Kinds() []Kind { return []Kind{EndpointChange, FailoverChange, RecordChange, PipelineRun} }

// Moment is one in the life of a change.
type Moment int

const (
	// Arrived is when the request has come and nothing is changed.
	Arrived Moment = iota + 1
	// Applied is when the change is made, or accepted, and not yet answered.
	Applied
	// Answered is when the answer was sent.
	Answered
	// Followed is when an operation that was accepted is first asked for its end.
	Followed
)

// Fault is what happens to one change.
type Fault struct {
	// Status, unless 0, is answered in place of making the change, with Code as Azure's own word for it, such as
	// Conflict, and with RetryAfter, in seconds, unless that is 0.
	Status     int
	Code       string
	RetryAfter time.Duration
	// At is when Do is called, unless it is nil, and then the connection is cut if Cut says so.
	At  Moment
	Do  func()
	Cut bool
	// Ends is how an operation or a run ends that was accepted; empty for well.
	Ends string
}

// Next has a fault happen to the next change of a kind that has none yet.
func (c *Cloud) Next(kind Kind, f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[kind] = append(c.faults[kind], f)
}

// fault takes that of a change.
func (c *Cloud) fault(kind Kind) Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := c.faults[kind]
	if len(waiting) == 0 {
		return Fault{}
	}
	c.faults[kind] = waiting[1:]
	return waiting[0]
}
