package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"usciere/cmd/usciere/settings"
	"usciere/resolver/listen"
)

// finding is what a look at the machine came to: fault says what is wrong and how to mend it; empty: nothing.
type finding struct{ about, fine, fault string }

// lookAtSystem looks for what keeps a daemon with these settings from serving well on this machine.
func lookAtSystem(s settings.Settings, state string) []finding {
	return []finding{lookAtPorts(s), lookAtBuffers(), lookAtFiles(s), lookAtClock(), lookAtDisk(state)}
}

// lookAtPorts binds what the daemon would bind, unless a daemon has it already.
func lookAtPorts(s settings.Settings) finding {
	f := finding{about: "ports", fine: strings.Join(s.Listen, " ") + " free"}
	server, err := listen.Open(listen.Config{Addrs: s.Listen, Readers: 1, Log: slog.New(slog.DiscardHandler)})
	taken := (*listen.InUseError)(nil)
	switch {
	case errors.As(err, &taken) && taken.Program == "usciere":
		f.fine = taken.Addr + " held by usciere itself"
	case err != nil:
		f.fault = err.Error()
	default:
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_ = server.Shutdown(over) // it never served
	}
	return f
}

// wantedBuffer is the receive buffer that a burst of a morning needs, in octets.
const wantedBuffer = 4 << 20

func lookAtBuffers() finding {
	f := finding{about: "buffers"}
	text, err := os.ReadFile("/proc/sys/net/core/rmem_max")
	n, wrong := strconv.Atoi(strings.TrimSpace(string(text)))
	switch {
	case err != nil || wrong != nil:
		f.fine = "not known here"
	case n < wantedBuffer:
		f.fault = fmt.Sprintf("net.core.rmem_max is %d KiB: questions of a burst are lost beyond it, unless the daemon has CAP_NET_ADMIN; `sysctl -w net.core.rmem_max=%d`, and the same in /etc/sysctl.d", n>>10, wantedBuffer)
	default:
		f.fine = fmt.Sprintf("%d KiB", n>>10)
	}
	return f
}

// lookAtFiles compares how many files a process may open with what the limits of the settings come to.
func lookAtFiles(s settings.Settings) finding {
	f := finding{about: "files"}
	var most unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &most); err != nil {
		f.fine = "not known here"
		return f
	}
	wanted := uint64(s.TCP.Connections + 2*s.Upstream.InFlight + 100)
	f.fine = fmt.Sprintf("%d may be open", most.Max)
	if most.Max < wanted {
		f.fault = fmt.Sprintf("%d may be open, tcp.connections and upstream.in_flight come to %d: raise LimitNOFILE in the unit (or ulimit -Hn), or lower those", most.Max, wanted)
	}
	return f
}

// lookAtClock asks the kernel whether something keeps its clock (adjtimex(2)).
func lookAtClock() finding {
	f := finding{about: "clock", fine: "synchronised"}
	var is unix.Timex
	state, err := unix.Adjtimex(&is)
	switch {
	case err != nil:
		f.fine = "not known here"
	case state == unix.TIME_ERROR || is.Status&unix.STA_UNSYNC != 0:
		f.fault = "not synchronised: grants begin and end, and certificates hold, by it; `apt install systemd-timesyncd` (or chrony), and look at `timedatectl`"
	}
	return f
}

// remote are the file systems that are on another machine, or behave so (statfs(2)).
var remote = map[int64]string{
	unix.NFS_SUPER_MAGIC: "NFS", unix.SMB_SUPER_MAGIC: "SMB", unix.SMB2_SUPER_MAGIC: "SMB", unix.CIFS_SUPER_MAGIC: "SMB",
	unix.AFS_SUPER_MAGIC: "AFS", unix.CODA_SUPER_MAGIC: "Coda", unix.FUSE_SUPER_MAGIC: "FUSE", unix.V9FS_MAGIC: "9P", unix.OCFS2_SUPER_MAGIC: "OCFS2",
}

func lookAtDisk(folder string) finding {
	f := finding{about: "disk"}
	var is unix.Statfs_t
	at := folder
	for errors.Is(unix.Statfs(at, &is), fs.ErrNotExist) && at != filepath.Dir(at) { // the first start makes the folder
		at = filepath.Dir(at)
	}
	free := int64(is.Bavail) * is.Bsize >> 20 //nolint:unconvert // of another type on other machines
	f.fine = fmt.Sprintf("%s, %d MiB free", folder, free)
	switch kind, far := remote[int64(is.Type)]; { //nolint:unconvert // the same
	case far:
		f.fault = fmt.Sprintf("%s is on %s: locks and writes there do not keep what the journal promises; give a folder on a disk of this machine (state, --state)", folder, kind)
	case free < 100:
		f.fault = fmt.Sprintf("%s has %d MiB free: when it is full, changes are refused", folder, free)
	}
	return f
}
