package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"usciere/policy"
	"usciere/policy/journal"
	"usciere/policy/request"
)

// kinds are the changes that the journal knows, and what each makes of its body: the records as the change left them. A
// reader says what it did not understand. How to add one: a row here; until then the audit says that its answer may be
// incomplete.
var kinds = map[string]func(*Rules, journal.Entry) string{
	"office.add":     reads((*Rules).putOffice),
	"office.change":  reads((*Rules).putOffice),
	"office.remove":  reads((*Rules).removeOffice),
	"network.add":    reads((*Rules).putOffice),
	"network.remove": reads((*Rules).putOffice),

	"seat.add":    reads((*Rules).putSeated),
	"seat.assign": reads((*Rules).putSeated),
	"seat.set":    reads((*Rules).putSeated),
	"seat.remove": reads((*Rules).removeSeat),

	"device.add":    reads((*Rules).putSeated),
	"device.remove": reads((*Rules).putSeated),

	"host.add":    reads((*Rules).putHost),
	"host.set":    reads((*Rules).putHost),
	"host.remove": reads((*Rules).removeHost),

	"token.add":    reads((*Rules).putToken),
	"token.rotate": reads((*Rules).putToken),
	"token.revoke": reads((*Rules).removeToken),

	"service.add":     reads((*Rules).putService),
	"service.remove":  reads((*Rules).removeService),
	"catalog.install": reads((*Rules).install),

	"grant.add":    reads((*Rules).putGranted),
	"grant.revoke": reads((*Rules).putRevoked),

	"request.submit":   reads((*Rules).putMoved),
	"request.endorse":  reads((*Rules).putMoved),
	"request.approve":  reads((*Rules).putMoved),
	"request.deny":     reads((*Rules).putMoved),
	"request.withdraw": reads((*Rules).putMoved),
	"request.expire":   reads((*Rules).putMoved),

	"letter.register": readLetters,
	"letter.sent":     readLetters,
	"letter.resend":   readLetters,
	"letter.remind":   readLetters,

	"alias.accept":  func(*Rules, journal.Entry) string { return "" }, // of no rule
	"trace.start":   func(*Rules, journal.Entry) string { return "" }, // of no rule either
	"trace.look":    func(*Rules, journal.Entry) string { return "" },
	"trace.end":     func(*Rules, journal.Entry) string { return "" },
	"store.restore": func(*Rules, journal.Entry) string { return "" }, // the records are those of the entries before it
}

// reads is the reader of a kind whose body is a T.
func reads[T any](take func(*Rules, *T) error) func(*Rules, journal.Entry) string {
	return func(r *Rules, e journal.Entry) string {
		body := new(T)
		strange, err := decode(e.Body, body)
		if err == nil {
			err = take(r, body)
		}
		if err != nil {
			return "its body cannot be read: " + err.Error()
		}
		return strange
	}
}

// decode reads a body; strange is what it has that a T has not.
func decode[T any](text []byte, into *T) (strange string, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	strict := dec.Decode(into)
	if strict == nil {
		return "", nil
	}
	*into = *new(T)
	if err := json.Unmarshal(text, into); err != nil {
		return "", err
	}
	return "it has what this version does not know: " + strings.TrimPrefix(strict.Error(), "json: "), nil
}

var errNothing = errors.New("it does not say of what")

func (r *Rules) putOffice(o *policy.Office) error {
	if o.ID == "" {
		return errNothing
	}
	r.put(policy.TableOffices, o.ID, o)
	return nil
}

// removeOffice mirrors policy.RemoveOffice: seats and grants go with it; a host that was entered in it keeps other offices'
// seats.
func (r *Rules) removeOffice(gone *policy.OfficeRemoved) error {
	if gone.Office == nil {
		return errNothing
	}
	for _, s := range gone.Seats {
		if s != nil {
			r.dropSeat(s.ID)
		}
	}
	for _, addr := range gone.Hosts {
		if h, ok := r.host(addr); ok {
			r.keepHost(&policy.Host{Addr: addr, Seats: h.Seats})
		}
	}
	for _, q := range gone.Requests {
		r.putRequest(q)
	}
	r.drop(policy.TableOffices, gone.Office.ID)
	return r.putGrants(gone.Grants)
}

func (r *Rules) putSeated(made *policy.Seated) error {
	if made.Seat == nil || made.Seat.ID == "" {
		return errNothing
	}
	r.put(policy.TableSeats, made.Seat.ID, made.Seat)
	r.unseat(made.Seat.ID, made.Hosts)
	for _, h := range made.Hosts {
		if h != nil {
			r.put(policy.TableHosts, h.Addr.String(), h)
		}
	}
	return nil
}

func (r *Rules) removeSeat(s *policy.Seat) error {
	if s.ID == "" {
		return errNothing
	}
	r.dropSeat(s.ID)
	return nil
}

func (r *Rules) dropSeat(id string) {
	r.unseat(id, nil)
	r.endTokens(func(t *policy.Token) bool { return t.Seat == id })
	r.drop(policy.TableSeats, id)
}

func (r *Rules) dropHost(addr netip.Addr) {
	r.endTokens(func(t *policy.Token) bool { return t.Host == addr })
	r.drop(policy.TableHosts, addr.String())
}

// endTokens drops those of a seat or host that is no more.
func (r *Rules) endTokens(ended func(*policy.Token) bool) {
	for id, text := range r.tables[policy.TableTokens] {
		var t policy.Token
		if json.Unmarshal(text, &t) == nil && ended(&t) {
			r.drop(policy.TableTokens, id)
		}
	}
}

func (r *Rules) putToken(t *policy.Token) error {
	if t.ID == "" {
		return errNothing
	}
	r.put(policy.TableTokens, t.ID, t)
	return nil
}

func (r *Rules) removeToken(t *policy.Token) error {
	r.drop(policy.TableTokens, t.ID)
	return nil
}

// unseat takes the bindings to a seat from all hosts but some.
func (r *Rules) unseat(seat string, but []*policy.Host) {
	for _, key := range r.hostsBoundTo(seat) {
		var h policy.Host
		if ok, err := r.Get(policy.TableHosts, key, &h); err != nil || !ok {
			continue // it was written by put
		}
		if slices.ContainsFunc(but, func(b *policy.Host) bool { return b != nil && b.Addr == h.Addr }) {
			continue
		}
		h.Seats = slices.DeleteFunc(h.Seats, func(b policy.Binding) bool { return b.Seat == seat })
		r.keepHost(&h)
	}
}

func (r *Rules) hostsBoundTo(seat string) (keys []string) {
	name, _ := json.Marshal(seat) // the text of a host that is bound to it has it
	for key, text := range r.tables[policy.TableHosts] {
		if bytes.Contains(text, name) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (r *Rules) host(addr netip.Addr) (h policy.Host, ok bool) {
	ok, err := r.Get(policy.TableHosts, addr.String(), &h)
	return h, ok && err == nil
}

// keepHost keeps what this entry made of a host, or drops it when nothing is left to say of it.
func (r *Rules) keepHost(h *policy.Host) {
	if h.Name == "" && h.Office == "" && h.Role == "" && len(h.Seats) == 0 {
		r.dropHost(h.Addr)
		return
	}
	h.Version = r.head.Seq
	r.put(policy.TableHosts, h.Addr.String(), h)
}

func (r *Rules) putHost(h *policy.Host) error {
	if !h.Addr.IsValid() {
		return errNothing
	}
	r.put(policy.TableHosts, h.Addr.String(), h)
	return nil
}

func (r *Rules) removeHost(h *policy.Host) error {
	r.dropHost(h.Addr)
	return nil
}

func (r *Rules) putService(sv *policy.Service) error {
	if sv.ID == "" {
		return errNothing
	}
	for _, rule := range sv.Rules {
		if rule.Rule.Name == "" {
			return fmt.Errorf("service %s has an entry without a domain rule", sv.ID)
		}
	}
	r.put(policy.TableServices, sv.ID, sv)
	return nil
}

func (r *Rules) removeService(sv *policy.Service) error {
	r.drop(policy.TableServices, sv.ID)
	return nil
}

func (r *Rules) install(made *policy.Installed) error {
	for _, sv := range made.Services {
		if sv == nil {
			return errNothing
		}
		if err := r.putService(sv); err != nil {
			return err
		}
	}
	for _, id := range made.Removed {
		r.drop(policy.TableServices, id)
	}
	r.putRequest(made.Request)
	return r.putGrants(made.Grants)
}

func (r *Rules) putGranted(made *policy.GrantsAdded) error {
	r.putRequest(made.Request)
	r.putLetter(made.Letter)
	return r.putGrants(made.Grants)
}

func (r *Rules) putRevoked(made *policy.GrantsRevoked) error {
	for _, l := range made.Letters {
		r.putLetter(l)
	}
	return r.putGrants(made.Grants)
}

func (r *Rules) putMoved(made *request.Moved) error {
	r.putRequest(made.Request)
	for _, q := range made.Requests {
		r.putRequest(q)
	}
	r.putLetter(made.Letter)
	if err := r.putGrants(made.Grants); err != nil {
		return err
	}
	return r.putGrants(made.Ended)
}

// readLetters reads what a change of letters leaves: a letter, or several.
func readLetters(r *Rules, e journal.Entry) string {
	several := func(r *Rules, made *struct {
		Letter  *policy.Letter   `json:"letter"`
		Letters []*policy.Letter `json:"letters"`
	}) error {
		r.putLetter(made.Letter)
		for _, l := range made.Letters {
			r.putLetter(l)
		}
		return nil
	}
	var one struct {
		ID policy.LetterID `json:"id"`
	}
	if err := json.Unmarshal(e.Body, &one); err == nil && one.ID != 0 {
		return reads(func(r *Rules, l *policy.Letter) error { r.putLetter(l); return nil })(r, e)
	}
	return reads(several)(r, e)
}

func (r *Rules) putGrants(grants []*policy.Grant) error {
	for _, g := range grants {
		if g == nil || g.ID == 0 {
			return errNothing
		}
		switch (policy.Subject{Office: g.Office, Role: g.Role, Everyone: g.Everyone}) {
		case policy.Subject{Office: g.Office}, policy.Subject{Role: g.Role}, policy.Subject{Everyone: true}:
		default:
			return fmt.Errorf("grant %s is for several", g.ID)
		}
		if g.Subject == (policy.Subject{}) || (g.Rule == nil) == (g.Service == "") {
			return fmt.Errorf("grant %s is for nobody, or opens nothing", g.ID)
		}
		if r.only != "" && g.Office != "" && g.Office != r.only {
			continue
		}
		r.put(policy.TableGrants, numberKey(g.ID), g)
	}
	return nil
}

func (r *Rules) putRequest(q *policy.Request) {
	if q != nil && (r.only == "" || q.Office == "" || q.Office == r.only) {
		r.put(policy.TableRequests, numberKey(q.ID), q)
	}
}

func (r *Rules) putLetter(l *policy.Letter) {
	if l != nil && (r.only == "" || l.Office == r.only) {
		r.put(policy.TableLetters, numberKey(l.ID), l)
	}
}
