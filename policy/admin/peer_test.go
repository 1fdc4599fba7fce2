package admin

import (
	"net"
	"os"
	"os/user"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"usciere/policy"
	"usciere/policy/request"
	"usciere/policy/town"
)

func TestWhoMayWhat(t *testing.T) {
	for _, test := range []struct {
		about  string
		uid    uint32
		groups []uint32
		head   string // of IT, as the settings have it
		want   permit
	}{
		{"root", 0, nil, "", decide},
		{"the daemon's own user", 990, nil, "", decide},
		{"a member of the admin group", 1000, []uint32{7, 100}, "", decide},
		{"a member of both groups", 1000, []uint32{200, 100}, "", decide},
		{"a member of the viewer group", 1000, []uint32{200}, "", read},
		{"a member of other groups", 1000, []uint32{7, 8}, "", none},
		{"a user of no group", 1000, nil, "", none},
		{"an unmapped user of another namespace", 65534, nil, "", none},
		{"root, who is not the IT head", 0, nil, "@viewers", change},
		{"a member of the admin group, who is not", 1000, []uint32{100}, "@viewers", change},
		{"a member of the IT head's group", 1000, []uint32{200}, "@viewers", decide},
		{"the IT head by name", 1000, nil, userName(1000), decide},
		{"somebody else than the IT head", 1001, []uint32{200}, userName(1000), read},
	} {
		t.Run(test.about, func(t *testing.T) {
			d := open(t, as(test.uid, test.groups...), func(s *Server) { s.cfg.Groups.Head = test.head })
			for _, command := range everyCommand {
				i := slices.IndexFunc(routes, func(r route) bool { return r.path == command.path })
				allowed := test.want >= routes[i].permit
				if _, err := command.call(ctx(t), d.Client); policy.IsCode(err, Forbidden) == allowed {
					t.Errorf("%s: %v", command.path, err)
				}
			}
		})
	}
}

func TestARefusalNamesTheGroupToAskFor(t *testing.T) {
	d := open(t, as(1000))
	_, err := d.Status(ctx(t))
	mustBe(t, err, Forbidden, "uid 1000", "may not see", "viewers")
	d = open(t, as(1000, 200))
	_, err = d.AddOffice(ctx(t), policy.AddOffice{ID: "x", Name: "X"})
	mustBe(t, err, Forbidden, "uid 1000", "may not change", "the group admins")
	d = open(t, as(1000), func(s *Server) { s.cfg.Groups = Groups{} })
	_, err = d.Status(ctx(t))
	mustBe(t, err, Forbidden, "only root")
	d = open(t, as(1000, 100), func(s *Server) { s.cfg.Groups.Head = "@viewers" })
	_, err = d.ApproveRequest(ctx(t), request.Approve{Request: 1})
	mustBe(t, err, Forbidden, "may not decide", "IT head's seat", "members of the group viewers")
	d = open(t, as(1000, 100), func(s *Server) { s.cfg.Groups.Head = "dirigente.it" })
	_, err = d.AddGrants(ctx(t), policy.AddGrants{})
	mustBe(t, err, Forbidden, "may not decide", "the user dirigente.it")
	grant := town.Grant{Office: "tributi", Rule: "www.example.net", Request: &town.Request{Protocol: "5/2026", Reason: "x"}}
	_, err = d.ApplyTown(ctx(t), TownChange{KeepUnlisted: true, Document: &town.Document{
		Offices: map[town.ID]town.Office{"tributi": {Name: "Ufficio Tributi"}}, Grants: []town.Grant{grant},
	}}, nil)
	mustBe(t, err, Forbidden, "may not decide")
}

func TestNobodyButTheITHeadWidensWhatIsGranted(t *testing.T) {
	rules := func(texts ...string) (out []policy.ServiceRule) {
		for _, text := range texts {
			rule, _, err := policy.ParseRule(text)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, policy.ServiceRule{Rule: rule, Source: "the supplier's letter"})
		}
		return out
	}
	d := open(t, as(1000, 100), func(s *Server) { s.cfg.Groups.Head = "@viewers" })
	service := policy.AddService{ID: "paghe", Rules: rules(".paghe.example.net", "www.example.org"), Replace: true}
	add := func(rules ...policy.ServiceRule) error {
		wanted := service
		wanted.Rules = rules
		_, err := d.AddService(ctx(t), wanted)
		return err
	}
	for _, texts := range [][]string{{"www.example.com"}, {".paghe.example.net", "www.example.org"}} { // nobody has it yet
		if err := add(rules(texts...)...); err != nil {
			t.Fatal(err)
		}
	}
	granted := policy.AddGrants{Subject: policy.Subject{Office: "tributi"}, Names: []string{"paghe"}, Protocol: "999/2026", Reason: "x"}
	if _, err := d.server.cfg.Rules.Apply(policy.Actor{Name: "head"}, granted); err != nil {
		t.Fatal(err)
	}
	mustBe(t, add(rules(".paghe.example.net", "www.example.org", "www.example.com")...), Forbidden, "paghe is granted", "may not decide")
	mustBe(t, add(rules(".example.net")...), Forbidden, "paghe is granted")
	document, err := d.Town(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	wider := document.Document.Services["paghe"]
	wider.Rules = append(wider.Rules, town.ServiceRule{Rule: "www.example.com", Source: "x"})
	document.Document.Services["paghe"] = wider
	_, err = d.ApplyTown(ctx(t), TownChange{Document: document.Document}, nil)
	mustBe(t, err, Forbidden, "paghe is granted")
	if err := add(rules("www.paghe.example.net", "www.example.org")...); err != nil {
		t.Errorf("narrower: %v", err)
	}
}

func TestAPeerWithNoRightsLearnsNotEvenWhatCommandsThereAre(t *testing.T) {
	d := open(t, as(1000))
	_, err := get[any](ctx(t), d.Client, "/v1/nothing", nil)
	mustBe(t, err, Forbidden)
}

func TestTheKernelSaysWhoConnected(t *testing.T) {
	d := open(t)
	st, err := d.Status(ctx(t))
	if err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if st.You.UID != uint32(os.Getuid()) || st.You.Name != me.Username || st.You.Permit != "decide" {
		t.Errorf("%+v", st.You)
	}
}

func TestTheKernelSaysInWhichGroups(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	many := make([]uint32, 100) // more than one look at SO_PEERGROUPS takes
	for i := range many {
		many[i] = 70000 + uint32(i)
	}
	for _, test := range []struct {
		about  string
		groups []uint32
	}{
		{"none", nil},
		{"two", []uint32{4, 7}},
		{"a hundred", many},
	} {
		t.Run(test.about, func(t *testing.T) {
			l, err := Listen(socketPath(t))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			fd := make(chan int)
			go connectAs(t, l.Addr().String(), 65533, 65532, test.groups, fd)
			conn, err := l.AcceptUnix()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			defer unix.Close(<-fd)
			got, err := peerCredentials(conn)
			if err != nil {
				t.Fatal(err)
			}
			if got.uid != 65533 || got.gid != 65532 || got.pid != int32(os.Getpid()) || !slices.Equal(got.groups(), test.groups) {
				t.Errorf("uid %d gid %d pid %d groups %d", got.uid, got.gid, got.pid, got.groups())
			}
		})
	}
}

// connectAs connects as another user, on a thread that ends with it: credentials are a thread's own (credentials(7)).
func connectAs(t *testing.T, path string, uid, gid uint32, groups []uint32, connected chan<- int) {
	runtime.LockOSThread()
	var first unsafe.Pointer
	if len(groups) > 0 {
		first = unsafe.Pointer(&groups[0])
	}
	_, _, e1 := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(first), 0)
	_, _, e2 := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid))
	_, _, e3 := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	}
	if e1 != 0 || e2 != 0 || e3 != 0 || err != nil {
		t.Error(e1, e2, e3, err)
	}
	connected <- fd
}

func TestWithoutSOPEERGROUPSTheUserDatabaseIsAsked(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	ids, err := me.GroupIds()
	if err != nil {
		t.Fatal(err)
	}
	if got := userGroups(uint32(os.Getuid())); len(got) != len(ids) {
		t.Errorf("%v, want %v", got, ids)
	}
	if got := userGroups(3_999_999_999); got != nil {
		t.Errorf("%v for a user that is not there", got)
	}
}

func TestAConnectionWithoutCredentialsIsClosed(t *testing.T) {
	d := open(t, func(s *Server) {
		s.credentials = func(*net.UnixConn) (credentials, error) { return credentials{}, os.ErrInvalid }
	})
	_, err := d.Status(ctx(t))
	mustBe(t, err, Unreachable, "no reply from usciere")
}
