// Package azure is an Azure on this machine, as far as Paramedic uses it: Microsoft Entra and Azure Resource Manager
// over HTTPS, with profiles of Traffic Manager, Cosmos DB accounts, A records and pipelines of Data Factory. It is for
// the tests that run the built program; those of package remediators/azure run on the vendor's own fakes.
//
//	cloud := azure.Run(t)
//	profile := cloud.AddProfile("tripgen", azure.Endpoint{Name: "korea"}, azure.Endpoint{Name: "japan"})
//	config := cloud.Account("secret.file", "ca.file") // for azure: in paramedic.yaml
//	cloud.Next(azure.EndpointChange, azure.Fault{At: azure.Applied, Do: kill})
//	...
//	cloud.Effects(azure.EndpointChange) // 1
//
// It is strict: a request that the real one would not take, by its token, API version, method, path, body or headers, is
// answered with an error, and [Cloud.Refused] tells of it; a change must also name itself by an x-ms-client-request-id.
// What Azure promises it keeps: a record set is only written by who names its ETag, a Cosmos DB account that is being
// failed over takes no other change, and a long-running operation is accepted with 202 and ends in its own time. What
// Azure does not promise it does not: an endpoint of Traffic Manager takes any change, also one that is late.
//
// A [Fault] lets something happen to the next change of a kind: a refusal, a connection that is cut before or after the
// change is made, or whatever the test does at that moment, such as killing who asked.
//
// Sources: https://learn.microsoft.com/rest/api/azure/ (trafficmanager, cosmos-db-resource-provider, dns, datafactory),
// https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations
//
// Concurrency: a [Cloud] may be used by many goroutines.
package azure
