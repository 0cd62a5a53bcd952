package azure

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/dns/armdns"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/privatedns/armprivatedns"
)

// publicZones are those of Azure DNS.
type publicZones struct{}

func (publicZones) kind() string  { return "Microsoft.Network/dnsZones" }
func (publicZones) name() string  { return "azure.dns.record" }
func (publicZones) about() string { return "of an Azure DNS zone" }

func (publicZones) get(ctx context.Context, a *Account, group, zone, name string) (recordSet, error) {
	answer, err := a.clients.records.Get(ctx, group, zone, name, armdns.RecordTypeA, nil)
	if err != nil || answer.Properties == nil {
		return recordSet{}, err
	}
	r := recordSet{etag: text(answer.Etag), metadata: answer.Properties.Metadata}
	if alias := answer.Properties.TargetResource; alias != nil && text(alias.ID) != "" {
		r.fixed = "it is an alias of " + text(alias.ID) + ", which has the addresses"
	}
	if answer.Properties.TTL != nil {
		r.value.TTL = *answer.Properties.TTL
	}
	for _, a := range answer.Properties.ARecords {
		r.value.Addresses = append(r.value.Addresses, text(a.IPv4Address))
	}
	return r, nil
}

func (publicZones) patch(ctx context.Context, a *Account, group, zone, name string, to recordSet) error {
	body := armdns.RecordSet{Properties: &armdns.RecordSetProperties{Metadata: to.metadata, TTL: new(to.value.TTL)}}
	for _, address := range to.value.Addresses {
		body.Properties.ARecords = append(body.Properties.ARecords, &armdns.ARecord{IPv4Address: new(address)})
	}
	_, err := a.clients.records.Update(ctx, group, zone, name, armdns.RecordTypeA, body, &armdns.RecordSetsClientUpdateOptions{IfMatch: new(to.etag)})
	return err
}

// privateZones are those of Azure Private DNS.
type privateZones struct{}

func (privateZones) kind() string  { return "Microsoft.Network/privateDnsZones" }
func (privateZones) name() string  { return "azure.privatedns.record" }
func (privateZones) about() string { return "of an Azure private DNS zone" }

func (privateZones) get(ctx context.Context, a *Account, group, zone, name string) (recordSet, error) {
	answer, err := a.clients.privateRecords.Get(ctx, group, zone, armprivatedns.RecordTypeA, name, nil)
	if err != nil || answer.Properties == nil {
		return recordSet{}, err
	}
	r := recordSet{etag: text(answer.Etag), metadata: answer.Properties.Metadata}
	if auto := answer.Properties.IsAutoRegistered; auto != nil && *auto {
		r.fixed = "a virtual machine has registered it, and would again"
	}
	if answer.Properties.TTL != nil {
		r.value.TTL = *answer.Properties.TTL
	}
	for _, a := range answer.Properties.ARecords {
		r.value.Addresses = append(r.value.Addresses, text(a.IPv4Address))
	}
	return r, nil
}

func (privateZones) patch(ctx context.Context, a *Account, group, zone, name string, to recordSet) error {
	body := armprivatedns.RecordSet{Properties: &armprivatedns.RecordSetProperties{Metadata: to.metadata, TTL: new(to.value.TTL)}}
	for _, address := range to.value.Addresses {
		body.Properties.ARecords = append(body.Properties.ARecords, &armprivatedns.ARecord{IPv4Address: new(address)})
	}
	_, err := a.clients.privateRecords.Update(ctx, group, zone, armprivatedns.RecordTypeA, name, body, &armprivatedns.RecordSetsClientUpdateOptions{IfMatch: new(to.etag)})
	return err
}
