package admin

import (
	"context"
	"io"
	"net/url"
	"strconv"

	"usciere/policy"
	"usciere/policy/journal"
)

// The methods of this file are the commands of the table in routes.go, one each.

// Status shows how the daemon is.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	return get[*Status](ctx, c, "/v1/status", nil)
}

// AddOffice makes an office.
func (c *Client) AddOffice(ctx context.Context, change policy.AddOffice) (*policy.Office, error) {
	return post[*policy.Office](ctx, c, "/v1/office/add", change)
}

// ChangeOffice changes an office's name, mailbox, IPA code or sinkhole mode.
func (c *Client) ChangeOffice(ctx context.Context, change policy.ChangeOffice) (*policy.Office, error) {
	return post[*policy.Office](ctx, c, "/v1/office/change", change)
}

// RemoveOffice takes an office out and returns what ended with it.
func (c *Client) RemoveOffice(ctx context.Context, change policy.RemoveOffice) (*policy.OfficeRemoved, error) {
	return post[*policy.OfficeRemoved](ctx, c, "/v1/office/remove", change)
}

// Offices lists all offices.
func (c *Client) Offices(ctx context.Context) (*OfficeList, error) {
	return get[*OfficeList](ctx, c, "/v1/office/list", nil)
}

// Office shows an office and what belongs to it.
func (c *Client) Office(ctx context.Context, id string) (*OfficeDetails, error) {
	return get[*OfficeDetails](ctx, c, "/v1/office/show", url.Values{"id": {id}})
}

// AddNetwork gives a prefix to an office.
func (c *Client) AddNetwork(ctx context.Context, change policy.AddNetwork) (*policy.Office, error) {
	return post[*policy.Office](ctx, c, "/v1/network/add", change)
}

// RemoveNetwork takes a prefix from an office.
func (c *Client) RemoveNetwork(ctx context.Context, change policy.RemoveNetwork) (*policy.Office, error) {
	return post[*policy.Office](ctx, c, "/v1/network/remove", change)
}

// Networks lists the networks of all offices.
func (c *Client) Networks(ctx context.Context) (*NetworkList, error) {
	return get[*NetworkList](ctx, c, "/v1/network/list", nil)
}

// AddHost enters a machine.
func (c *Client) AddHost(ctx context.Context, change policy.AddHost) (*policy.Host, error) {
	return post[*policy.Host](ctx, c, "/v1/host/add", change)
}

// RemoveHost takes a machine's entry out and returns it as it was.
func (c *Client) RemoveHost(ctx context.Context, change policy.RemoveHost) (*policy.Host, error) {
	return post[*policy.Host](ctx, c, "/v1/host/remove", change)
}

// Hosts lists all hosts.
func (c *Client) Hosts(ctx context.Context) (*HostList, error) {
	return get[*HostList](ctx, c, "/v1/host/list", nil)
}

// AddSeat makes a seat.
func (c *Client) AddSeat(ctx context.Context, change policy.AddSeat) (*policy.Seated, error) {
	return post[*policy.Seated](ctx, c, "/v1/seat/add", change)
}

// AssignSeat gives a seat to a holder.
func (c *Client) AssignSeat(ctx context.Context, change policy.AssignSeat) (*policy.Seated, error) {
	return post[*policy.Seated](ctx, c, "/v1/seat/assign", change)
}

// RemoveSeat takes a seat out and returns it as it was.
func (c *Client) RemoveSeat(ctx context.Context, change policy.RemoveSeat) (*policy.Seat, error) {
	return post[*policy.Seat](ctx, c, "/v1/seat/remove", change)
}

// Seats lists all seats.
func (c *Client) Seats(ctx context.Context) (*SeatList, error) {
	return get[*SeatList](ctx, c, "/v1/seat/list", nil)
}

// SeatHistory shows who held a seat when.
func (c *Client) SeatHistory(ctx context.Context, id string) (*SeatHistory, error) {
	return get[*SeatHistory](ctx, c, "/v1/seat/history", url.Values{"id": {id}})
}

// AddService makes or replaces a service of the town's own.
func (c *Client) AddService(ctx context.Context, change policy.AddService) (*policy.Service, error) {
	return post[*policy.Service](ctx, c, "/v1/service/add", change)
}

// addService makes or changes a service. What is granted already opens no more by it, unless the peer may grant.
func addService(c *call) (any, error) {
	wanted, err := body[policy.AddService](c.w, c.r)
	if err != nil {
		return nil, err
	}
	return c.apply(c.narrow(wanted))
}

// narrow keeps a service from opening more to those who are granted it, where the peer may not grant.
func (c *call) narrow(wanted policy.AddService) policy.AddService {
	if c.mine < decide {
		refused := c.refusal(c.peer, decide)
		refused.Message = "service " + wanted.ID + " is granted, and would open more than was: " + refused.Message
		wanted.Wider = refused
	}
	return wanted
}

// RemoveService takes a service out and returns it as it was.
func (c *Client) RemoveService(ctx context.Context, change policy.RemoveService) (*policy.Service, error) {
	return post[*policy.Service](ctx, c, "/v1/service/remove", change)
}

// Services lists all services.
func (c *Client) Services(ctx context.Context) (*ServiceList, error) {
	return get[*ServiceList](ctx, c, "/v1/service/list", nil)
}

// Service shows a service with its rules.
func (c *Client) Service(ctx context.Context, id string) (*policy.Service, error) {
	return get[*policy.Service](ctx, c, "/v1/service/show", url.Values{"id": {id}})
}

// AddGrants grants names or services on the paperwork of a request.
func (c *Client) AddGrants(ctx context.Context, change policy.AddGrants) (*policy.GrantsAdded, error) {
	return post[*policy.GrantsAdded](ctx, c, "/v1/grant/add", change)
}

// RevokeGrants ends grants.
func (c *Client) RevokeGrants(ctx context.Context, change policy.RevokeGrants) (*policy.GrantsRevoked, error) {
	return post[*policy.GrantsRevoked](ctx, c, "/v1/grant/revoke", change)
}

// Grants lists one page of grants.
func (c *Client) Grants(ctx context.Context, filter GrantFilter) (*GrantList, error) {
	return get[*GrantList](ctx, c, "/v1/grant/list", filter.query())
}

// Grant shows a grant and its request.
func (c *Client) Grant(ctx context.Context, id policy.GrantID) (*GrantDetails, error) {
	return get[*GrantDetails](ctx, c, "/v1/grant/show", url.Values{"id": {id.String()}})
}

// Explain says whether a client may ask a name, and why.
func (c *Client) Explain(ctx context.Context, q Question) (*Explanation, error) {
	params := url.Values{"name": {q.Name}}
	if q.Client.IsValid() {
		params.Set("client", q.Client.String())
	}
	if q.Trace {
		params.Set("trace", "yes")
	}
	for key, value := range map[string]string{"office": q.Office, "token": q.Token, "type": q.Type, "at": q.At} {
		if value != "" {
			params.Set(key, value)
		}
	}
	return get[*Explanation](ctx, c, "/v1/explain", params)
}

// Journal shows up to limit entries from a number on; from 0 asks for the newest, limit 0 for DefaultEntries.
func (c *Client) Journal(ctx context.Context, from uint64, limit int) (*JournalPage, error) {
	params := url.Values{}
	if from > 0 {
		params.Set("from", strconv.FormatUint(from, 10))
	}
	if limit > 0 {
		params.Set("limit", strconv.Itoa(limit))
	}
	return get[*JournalPage](ctx, c, "/v1/journal", params)
}

// ExportJournal writes the whole journal, one entry a line.
func (c *Client) ExportJournal(ctx context.Context, w io.Writer) (int64, error) {
	return c.pour(ctx, "/v1/journal/export", nil, w)
}

// JournalHead shows the end of the journal.
func (c *Client) JournalHead(ctx context.Context) (journal.Head, error) {
	return get[journal.Head](ctx, c, "/v1/journal/head", nil)
}

// VerifyJournal checks the journal.
func (c *Client) VerifyJournal(ctx context.Context, asked VerifyRequest) (*Verification, error) {
	return post[*Verification](ctx, c, "/v1/journal/verify", asked)
}

// CacheStats shows the figures of the answer cache.
func (c *Client) CacheStats(ctx context.Context) (*CacheStats, error) {
	return get[*CacheStats](ctx, c, "/v1/cache/stats", nil)
}

// Cache shows the answers that are kept for a name.
func (c *Client) Cache(ctx context.Context, name string) (*CachePage, error) {
	return get[*CachePage](ctx, c, "/v1/cache/show", url.Values{"name": {name}})
}

// FlushCache makes the cache forget answers.
func (c *Client) FlushCache(ctx context.Context, asked FlushRequest) (*Flushed, error) {
	return post[*Flushed](ctx, c, "/v1/cache/flush", asked)
}

// AddDevice makes a machine a workstation of a seat.
func (c *Client) AddDevice(ctx context.Context, change policy.AddDevice) (*policy.Seated, error) {
	return post[*policy.Seated](ctx, c, "/v1/device/add", change)
}

// RemoveDevice takes a machine from its seat.
func (c *Client) RemoveDevice(ctx context.Context, change policy.RemoveDevice) (*policy.Seated, error) {
	return post[*policy.Seated](ctx, c, "/v1/device/remove", change)
}

// Devices lists the devices of all seats.
func (c *Client) Devices(ctx context.Context) (*DeviceList, error) {
	return get[*DeviceList](ctx, c, "/v1/device/list", nil)
}

// OfficeCounts are the questions of each office's clients since start.
func (c *Client) OfficeCounts(ctx context.Context) (*OfficeCounts, error) {
	return get[*OfficeCounts](ctx, c, "/v1/office/counts", nil)
}

// AddToken makes a token for a seat or a host.
func (c *Client) AddToken(ctx context.Context, change policy.AddToken) (*policy.Token, error) {
	return post[*policy.Token](ctx, c, "/v1/token/add", change)
}

// RotateToken puts another secret or certificate in the place of a token's.
func (c *Client) RotateToken(ctx context.Context, change policy.RotateToken) (*policy.Token, error) {
	return post[*policy.Token](ctx, c, "/v1/token/rotate", change)
}

// RevokeToken ends a token.
func (c *Client) RevokeToken(ctx context.Context, change policy.RevokeToken) (*policy.Token, error) {
	return post[*policy.Token](ctx, c, "/v1/token/revoke", change)
}

// Tokens lists all tokens.
func (c *Client) Tokens(ctx context.Context) (*TokenList, error) {
	return get[*TokenList](ctx, c, "/v1/token/list", nil)
}

// Asked adds up for which names the offices asked on the last days, of one office or, for the empty one, of all; those first that were
// not granted, at most limit of them.
func (c *Client) Asked(ctx context.Context, office string, days, limit int) (*AskedList, error) {
	params := url.Values{"days": {strconv.Itoa(days)}, "limit": {strconv.Itoa(limit)}}
	if office != "" {
		params.Set("office", office)
	}
	return get[*AskedList](ctx, c, "/v1/asked", params)
}

// Aliases lists the granted names that lead to somebody new, or all that are remembered.
func (c *Client) Aliases(ctx context.Context, all bool) (*AliasList, error) {
	params := url.Values{}
	if all {
		params.Set("all", "yes")
	}
	return get[*AliasList](ctx, c, "/v1/alias/list", params)
}

// AcceptAliases says that it is right where some names lead.
func (c *Client) AcceptAliases(ctx context.Context, change policy.AcceptAliases) (*policy.AliasesAccepted, error) {
	return post[*policy.AliasesAccepted](ctx, c, "/v1/alias/accept", change)
}

// Leases lists which machine has which address.
func (c *Client) Leases(ctx context.Context) (*LeaseList, error) {
	return get[*LeaseList](ctx, c, "/v1/lease/list", nil)
}

// Upstreams lists the servers that are asked.
func (c *Client) Upstreams(ctx context.Context) (*UpstreamList, error) {
	return get[*UpstreamList](ctx, c, "/v1/upstream/list", nil)
}

// SecurityLists lists the security lists.
func (c *Client) SecurityLists(ctx context.Context) (*SecurityLists, error) {
	return get[*SecurityLists](ctx, c, "/v1/security/list", nil)
}

// Profile writes a profile of the program; seconds are of one of processor time, 0 for DefaultProfile.
func (c *Client) Profile(ctx context.Context, of string, seconds int, w io.Writer) (int64, error) {
	params := url.Values{"of": {of}}
	if seconds != 0 {
		params.Set("seconds", strconv.Itoa(seconds))
	}
	return c.pour(ctx, "/v1/profile", params, w)
}

// Backup writes a copy of the store and returns its length in octets.
func (c *Client) Backup(ctx context.Context, w io.Writer) (int64, error) {
	return c.pour(ctx, "/v1/backup", nil, w)
}
