// Package azure asks Azure what a subscription has cost so far this month. The
// actions on Azure resources belong here, too.
//
// An [Account] is one subscription and the identity that is used on it. It is
// made by [Connect], which reads the configuration and sends nothing; a token is
// asked for with the first question, and kept by the SDK while it is good.
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
// fake server, and against a strict local one for what the fake cannot do.
package azure
