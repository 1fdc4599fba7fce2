package lease

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

// socketTime bounds the conversation with a control socket.
const socketTime = 5 * time.Second

// readKeaSocket asks Kea for its leases, of IPv4 and of IPv6: one of the two is what a server does.
func readKeaSocket(path string, into *leases) error {
	four := askKea(path, "lease4-get-all", into)
	if four == nil {
		return nil
	}
	six := askKea(path, "lease6-get-all", into)
	if six == nil {
		return nil
	}
	return four
}

// errUnknown: the server does not have the command.
var errUnknown = errors.New("kea does not know the command: load its hook libdhcp_lease_cmds.so")

// keaReply is what Kea answers to lease4-get-all and lease6-get-all.
type keaReply struct {
	Result    int    `json:"result"`
	Text      string `json:"text"`
	Arguments struct {
		Leases []struct {
			Addr  netip.Addr `json:"ip-address"`
			MAC   string     `json:"hw-address"`
			DUID  string     `json:"duid"`
			Host  string     `json:"hostname"`
			Spoke int64      `json:"cltt"`      // seconds since 1970
			Life  uint64     `json:"valid-lft"` // seconds
			State int        `json:"state"`
			Kind  string     `json:"type"` // of IPv6: IA_NA, IA_PD
		} `json:"leases"`
	} `json:"arguments"`
}

// askKea gives one command; Kea ends the connection after its answer.
func askKea(path, command string, into *leases) error {
	const done, unknown, empty = 0, 2, 3
	ctx, cancel := context.WithTimeout(context.Background(), socketTime)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(socketTime)); err != nil {
		return err
	}
	if err := json.NewEncoder(c).Encode(map[string]string{"command": command}); err != nil {
		return err
	}
	var reply keaReply
	if err := json.NewDecoder(io.LimitReader(c, maxFile)).Decode(&reply); err != nil {
		return fmt.Errorf("its answer cannot be read: %w", err)
	}
	switch reply.Result {
	case done:
	case empty:
		return nil
	case unknown:
		return errUnknown
	default:
		return fmt.Errorf("kea says: %q", reply.Text)
	}
	for _, x := range reply.Arguments.Leases {
		if !x.Addr.IsValid() || x.Addr.Zone() != "" || x.Kind != "" && x.Kind != "IA_NA" || x.Life > 1<<32-1 {
			continue
		}
		l, in, ok := keaLease(Lease{Addr: x.Addr.Unmap()}, x.Life, x.Spoke+int64(x.Life), x.State, x.MAC, x.DUID, x.Host)
		if !in || !ok {
			continue
		}
		if err := into.put(l); err != nil {
			return err
		}
	}
	return nil
}
