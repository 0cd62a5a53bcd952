package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// EventVersion is the version of the events that this build writes. Older ones
// are still read.
const EventVersion = 1

// Kind implements Event.
func (AlertOpened) Kind() string { return "alert.opened" }

// Kind implements Event.
func (AlertRepeated) Kind() string { return "alert.repeated" }

// Kind implements Event.
func (AlertReopened) Kind() string { return "alert.reopened" }

// Kind implements Event.
func (AlertResolved) Kind() string { return "alert.resolved" }

// Kind implements Event.
func (AlertDropped) Kind() string { return "alert.dropped" }

// Kind implements Event.
func (AlertUnmatched) Kind() string { return "alert.unmatched" }

// Kind implements Event.
func (RuleFailed) Kind() string { return "rule.failed" }

// Kind implements Event.
func (RunStarted) Kind() string { return "run.started" }

// Kind implements Event.
func (RunJoined) Kind() string { return "run.joined" }

// Kind implements Event.
func (RunMerged) Kind() string { return "run.merged" }

// Kind implements Event.
func (RunContinued) Kind() string { return "run.continued" }

// Kind implements Event.
func (TaskIssued) Kind() string { return "task.issued" }

// Kind implements Event.
func (TaskAnswered) Kind() string { return "task.answered" }

// Kind implements Event.
func (TaskUnanswered) Kind() string { return "task.unanswered" }

// Kind implements Event.
func (AnswerIgnored) Kind() string { return "answer.ignored" }

// Kind implements Event.
func (RetryScheduled) Kind() string { return "retry.scheduled" }

// Kind implements Event.
func (Replanned) Kind() string { return "run.replanned" }

// Kind implements Event.
func (RunHeld) Kind() string { return "run.held" }

// Kind implements Event.
func (RunAllowed) Kind() string { return "run.allowed" }

// Kind implements Event.
func (ActionSkipped) Kind() string { return "action.skipped" }

// Kind implements Event.
func (ApprovalAsked) Kind() string { return "approval.asked" }

// Kind implements Event.
func (ApprovalGiven) Kind() string { return "approval.given" }

// Kind implements Event.
func (VerifyStarted) Kind() string { return "verify.started" }

// Kind implements Event.
func (VerifyWaiting) Kind() string { return "verify.waiting" }

// Kind implements Event.
func (RunStanding) Kind() string { return "run.standing" }

// Kind implements Event.
func (AttemptFailed) Kind() string { return "attempt.failed" }

// Kind implements Event.
func (UndoStarted) Kind() string { return "undo.started" }

// Kind implements Event.
func (RunParked) Kind() string { return "run.parked" }

// Kind implements Event.
func (RunEnded) Kind() string { return "run.ended" }

// Kind implements Event.
func (Escalated) Kind() string { return "run.escalated" }

// Kind implements Event.
func (ScopePaused) Kind() string { return "scope.paused" }

// Kind implements Event.
func (ScopeResumed) Kind() string { return "scope.resumed" }

// Kind implements Event.
func (CommandRefused) Kind() string { return "command.refused" }

// Kind implements Event.
func (RulesLoaded) Kind() string { return "rules.loaded" }

// Kind implements Event.
func (Pruned) Kind() string { return "state.pruned" }

// decoders is the closed list of what a ledger may hold.
func decoders() map[string]decodeFunc {
	return map[string]decodeFunc{
		AlertOpened{}.Kind():    decode[AlertOpened],
		AlertRepeated{}.Kind():  decode[AlertRepeated],
		AlertReopened{}.Kind():  decode[AlertReopened],
		AlertResolved{}.Kind():  decode[AlertResolved],
		AlertDropped{}.Kind():   decode[AlertDropped],
		AlertUnmatched{}.Kind(): decode[AlertUnmatched],
		RuleFailed{}.Kind():     decode[RuleFailed],
		RunStarted{}.Kind():     decode[RunStarted],
		RunJoined{}.Kind():      decode[RunJoined],
		RunMerged{}.Kind():      decode[RunMerged],
		RunContinued{}.Kind():   decode[RunContinued],
		TaskIssued{}.Kind():     decode[TaskIssued],
		TaskAnswered{}.Kind():   decode[TaskAnswered],
		TaskUnanswered{}.Kind(): decode[TaskUnanswered],
		AnswerIgnored{}.Kind():  decode[AnswerIgnored],
		RetryScheduled{}.Kind(): decode[RetryScheduled],
		Replanned{}.Kind():      decode[Replanned],
		RunHeld{}.Kind():        decode[RunHeld],
		RunAllowed{}.Kind():     decode[RunAllowed],
		ActionSkipped{}.Kind():  decode[ActionSkipped],
		ApprovalAsked{}.Kind():  decode[ApprovalAsked],
		ApprovalGiven{}.Kind():  decode[ApprovalGiven],
		VerifyStarted{}.Kind():  decode[VerifyStarted],
		VerifyWaiting{}.Kind():  decode[VerifyWaiting],
		RunStanding{}.Kind():    decode[RunStanding],
		AttemptFailed{}.Kind():  decode[AttemptFailed],
		UndoStarted{}.Kind():    decode[UndoStarted],
		RunParked{}.Kind():      decode[RunParked],
		RunEnded{}.Kind():       decode[RunEnded],
		Escalated{}.Kind():      decode[Escalated],
		ScopePaused{}.Kind():    decode[ScopePaused],
		ScopeResumed{}.Kind():   decode[ScopeResumed],
		CommandRefused{}.Kind(): decode[CommandRefused],
		RulesLoaded{}.Kind():    decode[RulesLoaded],
		Pruned{}.Kind():         decode[Pruned],
	}
}

// decodeFunc decodes the data of one kind of event. A ledger is long, so it is
// read in one pass, by the reader that will be encoding/json/v2, with the
// meaning that encoding/json wrote it with.
type decodeFunc func(*jsontext.Decoder) (Event, error)

func decode[E Event](dec *jsontext.Decoder) (Event, error) {
	var e E
	err := jsonv2.UnmarshalDecode(dec, &e, jsonv1.DefaultOptionsV1())
	return e, err
}

// EventDecoder decodes events from their JSON form. It is made once and may be
// shared.
type EventDecoder struct {
	kinds map[string]decodeFunc
}

// NewEventDecoder knows every event of this build.
func NewEventDecoder() *EventDecoder { return &EventDecoder{kinds: decoders()} }

// envelope is an event in JSON: its kind and version before its own fields.
type envelope struct {
	Kind    string          `json:"kind"`
	Version int             `json:"v"`
	Data    json.RawMessage `json:"data"`
}

// MarshalEvent encodes an event as {"kind", "v", "data"}, in this order.
func MarshalEvent(e Event) ([]byte, error) {
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", e.Kind(), err)
	}
	return json.Marshal(envelope{Kind: e.Kind(), Version: EventVersion, Data: data})
}

// Decode decodes what MarshalEvent encoded. An unknown kind or a newer version
// is an error: a state folded without it would be wrong.
func (d *EventDecoder) Decode(b []byte) (Event, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(b))
	e, err := d.DecodeFrom(dec)
	if err != nil {
		return nil, err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("event: something follows it")
	}
	return e, nil
}

// DecodeFrom is Decode within a larger JSON text.
func (d *EventDecoder) DecodeFrom(dec *jsontext.Decoder) (Event, error) {
	kind, version, err := readHead(dec)
	if err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	if version < 1 || version > EventVersion {
		return nil, fmt.Errorf("event %s has version %d, this build knows %d: upgrade before you read this ledger", kind, version, EventVersion)
	}
	decode, ok := d.kinds[kind]
	if !ok {
		return nil, fmt.Errorf("event kind %q is not known to this build: upgrade before you read this ledger", kind)
	}
	e, err := decode(dec)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", kind, err)
	}
	if _, err := Expect(dec, '}'); err != nil {
		return nil, fmt.Errorf("event %s: data is not its last field: %w", kind, err)
	}
	return e, nil
}

// readHead reads up to the value of "data".
func readHead(dec *jsontext.Decoder) (kind string, version int, err error) {
	if _, err := Expect(dec, '{'); err != nil {
		return "", 0, err
	}
	if err := readField(dec, "kind", &kind); err != nil {
		return "", 0, err
	}
	if err := readField(dec, "v", &version); err != nil {
		return "", 0, err
	}
	return kind, version, expectName(dec, "data")
}

func readField(dec *jsontext.Decoder, name string, value any) error {
	if err := expectName(dec, name); err != nil {
		return err
	}
	return jsonv2.UnmarshalDecode(dec, value)
}

func expectName(dec *jsontext.Decoder, want string) error {
	name, err := Expect(dec, '"')
	if err != nil {
		return fmt.Errorf("field %s: %w", want, err)
	}
	if name.String() != want {
		return fmt.Errorf("field %q stands where %q belongs", name.String(), want)
	}
	return nil
}

// Expect reads the next token, which must be of that kind.
func Expect(dec *jsontext.Decoder, want jsontext.Kind) (jsontext.Token, error) {
	token, err := dec.ReadToken()
	if err == nil && token.Kind() != want {
		err = fmt.Errorf("%s stands where %s belongs", token.Kind(), want)
	}
	return token, err
}
