// Package azure holds the actions on Azure resources, the probers that look at them, and
// what a subscription has cost so far this month.
//
// An [Account] is one subscription and the identity that is used on it. It is
// made by [Connect], which reads the configuration and sends nothing; a token is
// asked for with the first question, and kept by the SDK while it is good.
//
// # How something is changed
//
// A target is a resource's id, in the account's subscription. Every change is one
// request, which the SDK repeats in no case (what only reads it does repeat), and which
// shows the task in Azure's activity log as its x-ms-client-request-id. What Azure
// refuses has changed nothing; until there is a connection nothing was sent; all else is
// an unknown outcome.
//
// There are three ways to know later what became of it:
//
//   - DNS records, scale sets and node pools have an ETag, which is handed over, and a
//     tag or metadata that tell which tasks wrote them. What was sent late or twice is
//     refused there.
//   - Long-running operations and pipeline runs are kept as a checkpoint
//     ([remediators.Checkpoint]) as soon as Azure has accepted them, and followed to
//     their end by whoever finds the task. An outcome is only reported after that end,
//     so give the attempt a timeout that such an operation fits in, as 20m.
//   - For the rest, the activity log is asked. It is minutes late, so mostly the answer
//     is that nobody knows.
//
// That a thing is as it should be is no proof: others can want the same. Where nothing
// fences a change (Traffic Manager, Cosmos DB) the target is read once more right before
// it, and no call is made twice.
//
// The SDK's generated clients are used where they are small. Those of Compute, Network,
// Cosmos DB, Data Factory, Redis and AKS are not: what is needed of them goes through
// the layer below, azcore's pipeline for Resource Manager, and is tested against their
// fakes.
//
// # How a question is asked
//
// [Account.MonthToDate] is one query of Azure Cost Management
// (https://learn.microsoft.com/rest/api/cost-management/query/usage), sent by the
// SDK's own client. The SDK repeats what failed in the network or in Azure, for
// the query changes nothing. It does not page, so the pages are followed here, on
// the same host and path only. Azure refreshes these figures every four hours and
// throttles whoever asks often, over all subscriptions of the tenant
// (https://learn.microsoft.com/azure/cost-management-billing/costs/manage-automation#data-latency-and-rate-limits):
// ask hourly, not every minute.
//
// The identity needs the role Cost Management Reader on the subscription.
//
// # What is refused
//
// Costs of several currencies are never added. A table without the expected
// columns, a row that cannot be read and a page that is missing are errors: a sum
// of what could be read would look like money that was not spent.
//
// Errors are of package remediators' types and say what to mend. They never hold
// a token or a secret: answers are shown without the token that was sent, and what
// Microsoft Entra answers is shown by its codes only.
//
// Everything here is safe for concurrent use. The tests run against the vendor's
// fake servers, the actions through the proxy of remediatortest, and against strict
// local ones for what the fakes cannot do.
package azure
