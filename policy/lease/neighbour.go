package lease

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"

	"usciere/policy"
)

// known are the states in which the kernel says that it knows a neighbour's hardware address (linux/neighbour.h).
const known = netlink.NUD_REACHABLE | netlink.NUD_STALE | netlink.NUD_DELAY | netlink.NUD_PROBE | netlink.NUD_PERMANENT

// maxNeighbours bounds what is kept of the kernel's table, which its own limits (gc_thresh3) keep far smaller.
const maxNeighbours = 100_000

// followNeighbours gives the machines on the same link to changed, all that are there and then whatever changes, until ctx ends
// (netlink, rtnetlink(7)).
func followNeighbours(ctx context.Context, changed func(addr netip.Addr, n neighbour, there bool)) error {
	ctx, cancel := context.WithCancel(ctx)
	updates := make(chan netlink.NeighUpdate, 64)
	failed := make(chan error, 1)
	err := netlink.NeighSubscribeWithOptions(updates, ctx.Done(), netlink.NeighSubscribeOptions{
		ListExisting: true,
		ErrorCallback: func(err error) {
			select {
			case failed <- err:
			default:
			}
		},
	})
	if err != nil {
		cancel()
		return fmt.Errorf("subscribe to the kernel's neighbour table: %w", err)
	}
	defer func() {
		cancel()
		for range updates { // until its writer has seen that, and closes it
		}
	}()
	const removed = 29 // RTM_DELNEIGH
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return fmt.Errorf("follow the kernel's neighbour table: %w", err)
		case u, open := <-updates:
			if !open {
				return errors.New("follow the kernel's neighbour table: it ended")
			}
			addr, ok := netip.AddrFromSlice(u.IP)
			addr = addr.Unmap()
			if !ok || addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsLoopback() {
				continue
			}
			mac, err := policy.DeviceOf(u.HardwareAddr)
			there := u.Type != removed && u.State&known != 0 && err == nil
			changed(addr, neighbour{mac, u.State&(netlink.NUD_REACHABLE|netlink.NUD_PERMANENT) != 0}, there)
		}
	}
}
