package api

// TriggerRequest is the body of POST /api/v1/triggers/{rule}.
type TriggerRequest struct {
	// Labels are those that the rule's on.manual asks for.
	Labels map[string]string `json:"labels,omitempty"`
	Reason string            `json:"reason,omitempty"`
}

// Triggered is the answer to it.
type Triggered struct {
	// Delivery is the alert's, which is stored.
	Delivery string `json:"delivery"`
	// Decided says that the engine has decided about it. Runs are then those that it
	// set off or joined, if any.
	Decided bool  `json:"decided"`
	Runs    []Run `json:"runs"`
}
