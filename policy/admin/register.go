package admin

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"usciere/policy"
)

// RegisterRow is one line of the register (R6): a request with its decision, or a notice. Reminders and forms have no
// protocol number and are none.
type RegisterRow struct {
	Kind        string           `json:"kind"` // request, or of a notice decision, denial or revocation
	ID          string           `json:"id"`   // r-12 or l-7
	ProtocolIn  string           `json:"protocol_in"`
	DateIn      policy.Moment    `json:"date_in"`
	ProtocolOut string           `json:"protocol_out"` // of a request: of the newest notice of its decision
	DateOut     policy.Moment    `json:"date_out"`
	Office      string           `json:"office"`
	OfficeName  string           `json:"office_name"`
	Seat        string           `json:"seat"`
	Signer      string           `json:"signer"` // who held the seat on the date in
	State       string           `json:"state"`
	Channel     policy.Channel   `json:"channel"`
	Subject     []string         `json:"subject"` // addresses and services as asked; of a revocation, what ended
	Ground      policy.Ground    `json:"ground"`
	Reason      string           `json:"reason"`
	Renews      string           `json:"renews"` // r-3, or of a notice the label of that request
	Decided     *time.Time       `json:"decided"`
	DecidedBy   string           `json:"decided_by"`
	Decision    string           `json:"decision"` // the reasons of a denial or a revocation
	Left        []policy.Left    `json:"left"`     // asked for and not granted
	Grants      []RegisterGrant  `json:"grants"`   // that came of it, or that the notice is about
	Request     string           `json:"request"`  // that a notice is about
	Letters     []RegisterLetter `json:"letters"`  // about a request
	Sent        *time.Time       `json:"sent"`     // when the mail server took a notice
	Steps       []policy.Step    `json:"steps"`
	year        string
}

// RegisterGrant is a grant as the register has it.
type RegisterGrant struct {
	ID      policy.GrantID `json:"id"`
	For     string         `json:"for"`
	Opens   string         `json:"opens"`
	Channel policy.Channel `json:"channel"`
	Limits  string         `json:"limits,omitempty"` // types and timetable
	From    policy.Moment  `json:"from,omitempty"`
	Until   policy.Moment  `json:"until,omitempty"`
	Created time.Time      `json:"created"`
	Revoked *time.Time     `json:"revoked,omitempty"`
	Why     string         `json:"revoked_why,omitempty"`
}

// RegisterLetter is a notice as the row of its request has it.
type RegisterLetter struct {
	ID          policy.LetterID    `json:"id"`
	Kind        policy.LetterKind  `json:"kind"`
	State       policy.LetterState `json:"state"`
	ProtocolOut string             `json:"protocol_out,omitempty"`
	DateOut     policy.Moment      `json:"date_out,omitempty"`
}

// RegisterEnd is the last line of the register.
type RegisterEnd struct {
	Head string `json:"head"` // of the journal that the rows are of
	Rows int    `json:"rows"`
}

// RegisterFilter chooses rows; the empty one takes all.
type RegisterFilter struct {
	Year   string // of the protocol number in or out, or, without one, of the date
	Office string
}

// registerLine is one line of the reply: exactly one of the two.
type registerLine struct {
	Row *RegisterRow `json:"row,omitempty"`
	End *RegisterEnd `json:"end,omitempty"`
}

// listRegister writes the register, a line for each row and one for its end. It is read in one transaction and kept, in
// compressed form, until that is over: a slow reader must not keep one open, which would hold up changes.
func listRegister(c *call) (any, error) {
	q, err := params(c.r, "year", "office")
	if err != nil {
		return nil, err
	}
	f := RegisterFilter{Year: q.Get("year"), Office: q.Get("office")}
	if n, err := strconv.Atoi(f.Year); f.Year != "" && (err != nil || len(f.Year) != 4 || n < 1900) {
		return nil, invalid("write it as 2026", fmt.Sprintf("%q is no year", f.Year))
	}
	var packed bytes.Buffer
	pack, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	lines := json.NewEncoder(pack)
	lines.SetEscapeHTML(false)
	err = c.cfg.Rules.View(func(r policy.Records) error {
		end := RegisterEnd{Head: r.Head()}
		reg := register{Records: r, rules: c.rules, filter: f, names: map[string]string{}}
		err := reg.each(func(row *RegisterRow) error {
			end.Rows++
			return lines.Encode(registerLine{Row: row})
		})
		if err != nil {
			return err
		}
		if _, known := c.rules.Office(f.Office); f.Office != "" && !known && end.Rows == 0 {
			return notFound("see `usciere office list`", "there is no office %q", f.Office)
		}
		return lines.Encode(registerLine{End: &end})
	})
	if err = cmp.Or(err, pack.Close()); err != nil {
		return nil, err
	}
	return stream{"application/jsonl", func(w io.Writer) error {
		_, err := io.Copy(w, flate.NewReader(&packed))
		return err
	}}, nil
}

// register reads the rows out of the records.
type register struct {
	policy.Records
	rules   *policy.Snapshot
	filter  RegisterFilter
	names   map[string]string // of offices that are not there any more
	grants  []pair            // request and grant
	notices []pair            // request and letter
}

// pair is a request and the number of what belongs to it: 8 octets, for there may be a million.
type pair struct{ request, other uint32 }

func order(a, b pair) int {
	return cmp.Or(cmp.Compare(a.request, b.request), cmp.Compare(a.other, b.other))
}

// of are the pairs of one request.
func of(all []pair, request policy.RequestID) []pair {
	from, _ := slices.BinarySearchFunc(all, pair{uint32(request), 0}, order)
	to, _ := slices.BinarySearchFunc(all, pair{uint32(request) + 1, 0}, order)
	return all[from:to]
}

// each calls fn with the requests, oldest first, then with the notices.
func (r *register) each(fn func(*RegisterRow) error) error {
	if err := r.EachGrant(func(g *policy.Grant) bool {
		r.grants = append(r.grants, pair{uint32(g.Request), uint32(g.ID)})
		return true
	}); err != nil {
		return err
	}
	if err := r.EachLetter(func(l *policy.Letter) bool {
		if l.Kind.Registered() {
			r.notices = append(r.notices, pair{uint32(l.Request), uint32(l.ID)})
			r.names[l.Office] = l.Content.OfficeName
		}
		return true
	}); err != nil {
		return err
	}
	slices.SortFunc(r.grants, order)
	slices.SortFunc(r.notices, order)
	var failed error
	pass := func(row *RegisterRow, err error) bool {
		if failed = err; failed == nil && r.takes(row) {
			row.fill()
			failed = fn(row)
		}
		return failed == nil
	}
	err := r.EachRequest(func(q *policy.Request) bool { return pass(r.request(q)) })
	if err = cmp.Or(err, failed); err != nil {
		return err
	}
	err = r.EachLetter(func(l *policy.Letter) bool { return !l.Kind.Registered() || pass(r.notice(l)) })
	return cmp.Or(err, failed)
}

// fill puts empty lists where there are none, so that a key always has a list.
func (row *RegisterRow) fill() {
	row.Subject = append([]string{}, row.Subject...)
	row.Left = append([]policy.Left{}, row.Left...)
	row.Grants = append([]RegisterGrant{}, row.Grants...)
	row.Letters = append([]RegisterLetter{}, row.Letters...)
	row.Steps = append([]policy.Step{}, row.Steps...)
}

func (r *register) takes(row *RegisterRow) bool {
	if r.filter.Office != "" && row.Office != r.filter.Office {
		return false
	}
	return r.filter.Year == "" || row.year == r.filter.Year
}

// yearOf is the year of a protocol number, or of a date without one.
func yearOf(protocol string, date policy.Moment) string {
	if _, year, ok := strings.Cut(protocol, "/"); ok {
		return year
	}
	return string(date)[:min(4, len(date))]
}

func (r *register) request(q *policy.Request) (*RegisterRow, error) {
	row := &RegisterRow{
		Kind: "request", ID: q.ID.String(), ProtocolIn: q.Protocol, DateIn: q.Date, Office: q.Office, OfficeName: r.nameOf(q.Office),
		Seat: q.Seat, Signer: q.Holder, State: string(q.State), Channel: channelOf(q), Subject: append(slices.Clone(q.Addresses), q.Services...),
		Ground: q.Ground, Reason: q.Reason, Decided: some(q.Decided), DecidedBy: q.DecidedBy, Decision: q.Decision, Left: q.Left, Steps: q.Steps,
		year: yearOf(q.Protocol, q.Date),
	}
	if q.Renews != 0 {
		row.Renews = q.Renews.String()
	}
	for _, p := range of(r.grants, q.ID) {
		if err := r.grant(row, policy.GrantID(p.other)); err != nil {
			return nil, err
		}
	}
	for _, p := range of(r.notices, q.ID) {
		l, err := r.Letter(policy.LetterID(p.other))
		if err != nil {
			return nil, err
		}
		out := RegisterLetter{ID: l.ID, Kind: l.Kind, State: l.State}
		if l.Issue != nil {
			out.ProtocolOut, out.DateOut = l.Issue.Protocol, l.Issue.Date
		}
		row.Letters = append(row.Letters, out)
		if l.Kind != policy.RevocationNotice {
			row.ProtocolOut, row.DateOut = out.ProtocolOut, out.DateOut
		}
	}
	return row, nil
}

// channelOf is the channel of the addresses of a request; of one that names services only, none unless it says so.
func channelOf(q *policy.Request) policy.Channel {
	if q.Channel == "" && len(q.Addresses) > 0 {
		return policy.Web
	}
	return q.Channel
}

func (r *register) notice(l *policy.Letter) (*RegisterRow, error) {
	said := &l.Content
	row := &RegisterRow{
		Kind: string(l.Kind), ID: l.ID.String(), ProtocolIn: said.Protocol, DateIn: said.Date, Office: l.Office, OfficeName: said.OfficeName,
		Seat: said.Seat, Signer: said.Holder, State: string(l.State), Channel: said.Channel, Subject: said.Asked, Ground: said.Ground,
		Reason: said.Reason, Renews: said.Renews, Decided: some(l.Written), Decision: said.Decision, Left: said.Left, Sent: some(l.Sent),
		year: string(policy.DayOf(l.Written, r.rules.Town().Zone))[:4],
	}
	if l.Kind == policy.RevocationNotice {
		row.Subject = nil
		for _, o := range said.Opened {
			row.Subject = append(row.Subject, o.What)
		}
	}
	if l.Request != 0 {
		row.Request = l.Request.String()
		q, err := r.Request(l.Request)
		if err != nil {
			return nil, err
		}
		row.Channel = channelOf(q)
		if l.Kind != policy.RevocationNotice {
			row.Decided, row.DecidedBy = some(q.Decided), q.DecidedBy
		}
	}
	if l.Issue != nil {
		row.ProtocolOut, row.DateOut = l.Issue.Protocol, l.Issue.Date
		row.year = yearOf(row.ProtocolOut, row.DateOut)
	}
	for _, id := range l.Grants {
		if err := r.grant(row, id); err != nil {
			return nil, err
		}
	}
	return row, nil
}

// some is a time that was set.
func some(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// grant adds a grant to a row.
func (r *register) grant(row *RegisterRow, id policy.GrantID) error {
	g, err := r.Grant(id)
	if err != nil {
		return err
	}
	out := RegisterGrant{
		ID: g.ID, For: g.Subject.String(), Opens: g.Opens(), Channel: g.Channel, Limits: g.Limits(), From: g.From, Until: g.Until, Created: g.Created,
	}
	if g.Revoked != nil {
		out.Revoked, out.Why = &g.Revoked.At, g.Revoked.Reason
	}
	row.Grants = append(row.Grants, out)
	return nil
}

// nameOf is the name of an office; of one that is not there any more, as its last notice has it.
func (r *register) nameOf(office string) string {
	if o, ok := r.rules.Office(office); ok {
		return o.Name
	}
	return r.names[office]
}

// Register calls fn with the rows of the register, requests first, and returns its end, with the journal's head.
func (c *Client) Register(ctx context.Context, f RegisterFilter, fn func(*RegisterRow) error) (RegisterEnd, error) {
	q := url.Values{}
	for key, value := range map[string]string{"year": f.Year, "office": f.Office} {
		if value != "" {
			q.Set(key, value)
		}
	}
	r, err := c.do(ctx, http.MethodGet, "/v1/register", q, nil)
	if err != nil {
		return RegisterEnd{}, err
	}
	defer r.Body.Close()
	lines := json.NewDecoder(bufio.NewReaderSize(r.Body, 64<<10))
	for rows := 0; ; rows++ {
		var line registerLine
		err := lines.Decode(&line)
		switch {
		case err == nil && line.Row != nil:
			if err := fn(line.Row); err != nil {
				return RegisterEnd{}, err
			}
		case err == nil && line.End != nil && line.End.Rows == rows:
			return *line.End, nil
		case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return RegisterEnd{}, &policy.Error{Code: Fault, Message: fmt.Sprintf("the daemon broke off after %d rows of the register", rows), Hint: "see the daemon's log"}
		default:
			return RegisterEnd{}, fmt.Errorf("read the register: %w", err)
		}
	}
}
