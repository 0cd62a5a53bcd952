package alert

import "time"

// Delivery is one webhook request, decoded. A body with more alerts than fit
// into one message of the bus is stored as several deliveries of one ID, told
// apart by Part.
type Delivery struct {
	// ID is given by the receiver and returned to the sender.
	ID string `json:"id"`
	// Source is the configured name of the source.
	Source string `json:"source"`
	// ReceivedAt is the receiver's clock when the body had been read.
	ReceivedAt time.Time `json:"receivedAt"`
	// Part counts from 0 within Parts; both are zero for an undivided delivery.
	Part  int `json:"part,omitempty"`
	Parts int `json:"parts,omitempty"`
	// Warnings are what the decoder thought odd but could read.
	Warnings []string `json:"warnings,omitempty"`
	Alerts   []Alert  `json:"alerts"`
}
