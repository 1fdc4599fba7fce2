package policy

import "slices"

// AddDevice makes a machine, known by its hardware address or by the host name in its lease, a workstation of a seat.
type AddDevice struct {
	Device DeviceID `json:"device"`
	Seat   string   `json:"seat"`
	Name   string   `json:"name,omitempty"`
}

// Kind names the change in the journal.
func (AddDevice) Kind() string { return "device.add" }

// Apply makes the change; its body is a Seated.
func (c AddDevice) Apply(e *Edit) (Made, error) {
	seat, err := e.seatOf(c.Seat)
	if err != nil {
		return Made{}, err
	}
	devices, err := e.checkDevices(c.Seat, append(slices.Clone(seat.Devices), Device{c.Device, c.Name}))
	if err != nil {
		return Made{}, err
	}
	return e.putDevices(*seat, devices)
}

// RemoveDevice takes a machine from the seat it belongs to.
type RemoveDevice struct {
	Device DeviceID `json:"device"`
}

// Kind names the change in the journal.
func (RemoveDevice) Kind() string { return "device.remove" }

// Apply makes the change; its body is a Seated.
func (c RemoveDevice) Apply(e *Edit) (Made, error) {
	seat, ok := e.devices[c.Device]
	if !ok {
		return Made{}, notFound("see `usciere device list`", "there is no device %s", c.Device)
	}
	left := slices.DeleteFunc(slices.Clone(seat.Devices), func(d Device) bool { return d.ID == c.Device })
	return e.putDevices(*seat, left)
}

func (e *Edit) putDevices(seat Seat, devices []Device) (Made, error) {
	seat.Devices = devices
	kept, err := e.putSeat(seat)
	if err != nil {
		return Made{}, err
	}
	return Made{Office: kept.Office, Body: e.seated(kept, nil)}, nil
}

// maxDevices is how many devices a seat may have: a person has a handful.
const maxDevices = 32

// checkDevices are the devices that a seat is to have, in order; each belongs to one seat only.
func (e *Edit) checkDevices(seat string, devices []Device) ([]Device, error) {
	seen := map[DeviceID]bool{}
	for i := range devices {
		d := &devices[i]
		id, err := ParseDevice(string(d.ID))
		if err != nil {
			return nil, err
		}
		d.ID = id
		if err := CheckText("the name", d.Name, 100); err != nil {
			return nil, err
		}
		if other, taken := e.devices[id]; taken && other.ID != seat {
			return nil, conflict("take it from there first with `usciere device remove "+id.String()+"`", "%s is a device of the seat %s", id, other.ID)
		}
		if seen[id] {
			return nil, conflict("see `usciere device list`", "%s is a device of the seat %s already", id, seat)
		}
		seen[id] = true
	}
	if len(devices) > maxDevices {
		return nil, invalid("a seat is one person's: take out what is no more", "%d devices are more than a seat may have (%d)", len(devices), maxDevices)
	}
	return devices, nil
}
