package admin

import (
	"net/netip"
	"time"

	"usciere/policy"
)

// DeviceList are the devices of all seats, by seat.
type DeviceList struct {
	Devices []Device `json:"devices"`
}

// Device is a device, its seat, and where it is now.
type Device struct {
	policy.Device
	Seat  string       `json:"seat"`
	Addrs []netip.Addr `json:"addrs,omitempty"`
	Own   []netip.Addr `json:"own,omitempty"` // at which an entry by address decides instead
}

func listDevices(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	out := DeviceList{Devices: []Device{}}
	for _, seat := range c.rules.Seats() {
		for _, d := range seat.Devices {
			addrs, own := c.rules.Whereabouts(d.ID, c.now)
			out.Devices = append(out.Devices, Device{d, seat.ID, addrs, own})
		}
	}
	return out, nil
}

// LeaseList is which machine has which address, and how reading it goes.
type LeaseList struct {
	Watched bool          `json:"watched"` // leases are read at all
	Sources []LeaseSource `json:"sources"`
	Leases  []Lease       `json:"leases"`
}

// LeaseSource is how the reading of one source goes.
type LeaseSource struct {
	Source  string `json:"source"`
	Leases  int    `json:"leases"` // read, those that are over included
	Problem string `json:"problem,omitempty"`
}

// Lease is a machine at an address.
type Lease struct {
	Addr    netip.Addr      `json:"addr"`
	MAC     policy.DeviceID `json:"mac,omitempty"`
	Host    policy.DeviceID `json:"host,omitempty"` // a name that only this machine gives
	Until   time.Time       `json:"until,omitzero"`
	Source  string          `json:"source"`
	Seat    string          `json:"seat,omitempty"`    // whose device it is
	Against string          `json:"against,omitempty"` // why it is not taken for it; empty: it is
}

func listLeases(c *call) (any, error) {
	if _, err := params(c.r); err != nil {
		return nil, err
	}
	out := c.cfg.Leases()
	out.Sources, out.Leases = append([]LeaseSource{}, out.Sources...), append([]Lease{}, out.Leases...)
	return out, nil
}
