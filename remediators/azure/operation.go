package azure

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/tripgen/paramedic/internal/engine"
	"github.com/tripgen/paramedic/remediators"
)

// pollEvery is how often an operation is asked for its end, unless Azure says when.
const pollEvery = 5 * time.Second

// operation is a change that Azure has accepted and makes in its own time.
type operation = runtime.Poller[ended]

// ended is what an operation's end answers, which is not looked at. The SDK wants a type
// with a name, to know its resume tokens by.
type ended struct{}

// begin sends a request that changes something, once, and gives the operation that it
// begins. One that Azure had made when it answered is done.
func (a *Account) begin(ctx context.Context, r request) (*operation, error) {
	resp, err := a.send(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // the SDK has read it
	return runtime.NewPoller[ended](resp, a.clients.resources.Pipeline(), nil)
}

// kept is what a checkpoint holds.
type kept struct {
	// Operation is the SDK's resume token.
	Operation string `json:"operation"`
}

// follow waits for the end of an operation, and has kept meanwhile what another worker
// can follow it with. Any error says that the outcome is unknown.
func (a *Account) follow(ctx context.Context, what string, op *operation) error {
	if op == nil || op.Done() {
		return nil
	}
	token, err := op.ResumeToken()
	if err != nil {
		return remediators.UnknownOutcome("azure: %s: Azure has accepted it, but it cannot be followed: %s", what, shown(err.Error()))
	}
	b, err := json.Marshal(kept{Operation: token})
	if err != nil {
		return remediators.UnknownOutcome("azure: %s: Azure has accepted it, but it cannot be followed: %w", what, err)
	}
	// Where it is not kept the worker says so; the operation goes on.
	_ = remediators.Checkpoint(ctx, b)
	if _, err := op.PollUntilDone(ctx, &runtime.PollUntilDoneOptions{Frequency: a.poll}); err != nil {
		return remediators.UnknownOutcome("azure: %s: Azure has accepted it, but then: %s", what, a.operationText(err))
	}
	return nil
}

// resumed follows the operation that a call had kept, and tells how it ended. The error
// is retryable: the operation goes on, or cannot be asked for now.
func (a *Account) resumed(ctx context.Context, what string, checkpoint json.RawMessage) (engine.Effect, error) {
	var k kept
	err := json.Unmarshal(checkpoint, &k)
	var op *operation
	if err == nil {
		op, err = runtime.NewPollerFromResumeToken[ended](k.Operation, a.clients.resources.Pipeline(), nil)
	}
	if err != nil {
		return engine.Unknown, nil //nolint:nilerr // another version's token tells nothing
	}
	_, err = op.PollUntilDone(ctx, &runtime.PollUntilDoneOptions{Frequency: a.poll})
	if err == nil {
		return engine.Applied, nil
	}
	if e, answered := errors.AsType[*azcore.ResponseError](err); answered && !passing(e.StatusCode) {
		return engine.Unknown, nil // it failed, maybe half-way, or Azure has forgotten it
	}
	return engine.Unknown, remediators.Retryable(0, "azure: %s: it goes on: %s", what, a.operationText(err))
}

// passing says that an answer is about the moment, not about what was asked for.
func passing(code int) bool {
	return code == http.StatusRequestTimeout || code == http.StatusTooManyRequests || code >= 500
}

func (*Account) operationText(err error) string {
	if e, ok := errors.AsType[*azcore.ResponseError](err); ok {
		if e.StatusCode < 300 {
			// The answer is fine; what it tells of is not.
			return "the operation failed: " + describe(e)
		}
		return describe(e)
	}
	return shown(err.Error())
}
