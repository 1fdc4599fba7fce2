//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"path/filepath"
	"strings"
	"testing"

	"usciere/policy"
	"usciere/policy/admin"
)

// notice writes a notice by the commands: a grant, and its end. It returns the letter's number.
func (d *daemon) notice(n int, more ...string) string {
	d.t.Helper()
	g := d.allow("tributi", fmt.Sprintf("%d/2026", 10_000+n), fmt.Sprintf("n%d.example.org", n))
	var made policy.GrantsRevoked
	out := d.must(append([]string{"grant", "revoke", g.String(), "--reason", "il procedimento è concluso", "-o", "json"}, more...)...)
	if err := json.Unmarshal([]byte(out), &made); err != nil || len(made.Letters) != 1 {
		d.t.Fatalf("%v in %s", err, out)
	}
	return made.Letters[0].ID.String()
}

// letterState waits until a letter is in a state.
func (d *daemon) awaitLetter(id string, state policy.LetterState) admin.LetterDetails {
	d.t.Helper()
	var l admin.LetterDetails
	eventually(d.t, "letter "+id+" is "+string(state), func() bool {
		d.call("GET", "/v1/letter/show?id="+id, nil, &l)
		return l.Letter.State == state
	})
	return l
}

// awaitAttempt waits until sending a letter has failed.
func (d *daemon) awaitAttempt(id string) policy.Mailing {
	d.t.Helper()
	var l admin.LetterDetails
	eventually(d.t, "sending letter "+id+" fails", func() bool {
		l = admin.LetterDetails{}
		d.call("GET", "/v1/letter/show?id="+id, nil, &l)
		return l.Mailing != nil && l.Mailing.Attempts > 0
	})
	return *l.Mailing
}

func TestANoticeReachesTheOfficesMailboxOverSTARTTLS(t *testing.T) {
	m := serveMail(t, false)
	d := mailing(t, "server: \"localhost:"+portOf(m.addr)+"\", ca: "+m.ca)
	id := d.notice(1)
	r := d.usciere("letter", "register", id)
	if r.code != 1 || !strings.Contains(r.err, "cannot leave without an outgoing protocol number (R6)") || !strings.Contains(r.err, "(Art. 6)") {
		t.Fatal(r)
	}
	if got := m.mails(); len(got) > 0 {
		t.Fatalf("%d mails left before there was a number", len(got))
	}
	out := d.must("letter", "register", id, "--protocol", "0501/2026")
	if !strings.Contains(out, "protocol 501/2026 of ") || !strings.Contains(out, "to tributi@comune.demo.test") {
		t.Errorf("register: %s", out)
	}
	l := d.awaitLetter(id, policy.Sent)
	eventually(t, "the mail is in the mailbox", func() bool { return len(m.mails()) == 1 })
	got := m.mails()[0]
	for header, want := range map[string]string{
		"From": `"Comune di Esempio" <ced@comune.example.it>`, "To": "<tributi@comune.demo.test>", "Cc": "", "Auto-Submitted": "auto-generated",
		"Message-Id": "<" + l.Letter.Issue.MessageID + ">", "Content-Language": "it", "User-Agent": "", "X-Mailer": "",
	} {
		if got.Header.Get(header) != want {
			t.Errorf("%s: %q; want %q", header, got.Header.Get(header), want)
		}
	}
	if day, err := got.Header.Date(); err != nil || !day.Equal(l.Letter.Issue.At) {
		t.Errorf("Date %s; issued %s", day, l.Letter.Issue.At)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject"))
	if err != nil || subject != "Accesso a Internet: termine dell’accesso consentito sulla richiesta prot. n. 10001/2026 "+strings.TrimPrefix(subject, subject[:strings.LastIndex(subject, "10001/2026 ")+11]) {
		t.Errorf("Subject %q, %v", subject, err)
	}
	if text, page := parts(t, got); text != l.Text || page != l.Page {
		t.Errorf("the mail is not the paper:\n%s\n%s", text, page)
	}
	if r := d.usciere("letter", "register", id, "--protocol", "502/2026"); r.code != 1 || !strings.Contains(r.err, "was issued on") {
		t.Error(r)
	}
	other := d.notice(2)
	if r := d.usciere("letter", "register", other, "--protocol", "501/2026"); r.code != 1 || !strings.Contains(r.err, "is the outgoing number of letter "+id+" already") {
		t.Error(r)
	}
	d.verify()
	d.stop()
}

// parts are the plain text and the page of a mail.
func parts(t *testing.T, m received) (text, page string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s, %v", kind, err)
	}
	r := multipart.NewReader(strings.NewReader(m.body), params["boundary"])
	for _, into := range []struct {
		kind string
		text *string
	}{{"text/plain; charset=UTF-8", &text}, {"text/html; charset=UTF-8", &page}} {
		p, err := r.NextRawPart()
		if err != nil || p.Header.Get("Content-Type") != into.kind {
			t.Fatalf("%v, %v", p, err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		*into.text = strings.ReplaceAll(string(body), "\r\n", "\n")
	}
	return text, page
}

func TestOnlyAnUrgentNoticeGoesToTheSeatToo(t *testing.T) {
	m := serveMail(t, false)
	d := mailing(t, "server: \"localhost:"+portOf(m.tlsAddr)+"\", tls: tls, ca: "+m.ca)
	d.must("seat", "add", "dirigente-bis", "--office", "cultura", "--role", "manager", "--holder", "P. Blu", "--mailbox", "dirigente.cultura@comune.demo.test", "--from", "2026-01-01")
	send := func(n int, more ...string) string {
		out := d.must("allow", fmt.Sprintf("u%d.example.org", n), "--office", "cultura", "--seat", "dirigente-bis", "--protocol", fmt.Sprintf("%d/2026", 20_000+n), "--reason", "mostra", "-o", "json")
		var made policy.GrantsAdded
		if err := json.Unmarshal([]byte(out), &made); err != nil {
			t.Fatal(err)
		}
		var ended policy.GrantsRevoked
		out = d.must(append([]string{"grant", "revoke", made.Grants[0].ID.String(), "--reason", "conclusa", "-o", "json"}, more...)...)
		if err := json.Unmarshal([]byte(out), &ended); err != nil {
			t.Fatal(err)
		}
		id := ended.Letters[0].ID.String()
		d.must("letter", "register", id, "--protocol", fmt.Sprintf("%d/2026", 600+n))
		return d.awaitLetter(id, policy.Sent).Letter.Issue.MessageID
	}
	plain, urgent := send(1), send(2, "--urgent")
	eventually(t, "both mails are there, the urgent one in both mailboxes", func() bool { return len(m.mails()) == 3 })
	for _, got := range m.mails() {
		wantCc, wantImportance := "", ""
		if got.id == "<"+urgent+">" {
			wantCc, wantImportance = "<dirigente.cultura@comune.demo.test>", "high"
		} else if got.id != "<"+plain+">" {
			t.Errorf("a mail %s", got.id)
		}
		if got.Header.Get("To") != "<cultura@comune.demo.test>" || got.Header.Get("Cc") != wantCc || !strings.EqualFold(got.Header.Get("Importance"), wantImportance) {
			t.Errorf("%s: to %q, cc %q, importance %q", got.id, got.Header.Get("To"), got.Header.Get("Cc"), got.Header.Get("Importance"))
		}
	}
	d.stop()
}

func TestWhatTheServerPutsOffWaitsAndWhatItRefusesIsStuck(t *testing.T) {
	m := serveMail(t, false)
	d := mailing(t, "server: \"localhost:"+portOf(m.addr)+"\", ca: "+m.ca)
	m.busy(true)
	late := d.notice(1)
	d.must("letter", "register", late, "--protocol", "501/2026")
	if w := d.awaitAttempt(late); w.Refused || !strings.Contains(w.Error, "451") || !strings.Contains(w.Error, "try again later") {
		t.Errorf("%+v", w)
	}
	if out := d.must("outbox"); !strings.Contains(out, "tried 1 time, again at ") {
		t.Error(out)
	}
	m.busy(false)
	d.reload("settings read again") // what waits is tried at once
	d.awaitLetter(late, policy.Sent)

	d.must("office", "change", "tributi", "--mailbox", "nessuno@comune.demo.test")
	stuck := d.notice(2)
	d.must("letter", "register", stuck, "--protocol", "502/2026")
	if w := d.awaitAttempt(stuck); !w.Refused || !strings.Contains(w.Error, "550") || !strings.Contains(w.Error, "no such mailbox") {
		t.Errorf("%+v", w)
	}
	if out := d.must("outbox"); !strings.Contains(out, "  refused  ") || !strings.Contains(out, "nessuno@comune.demo.test") {
		t.Error(out)
	}
	if out := d.must("status"); !strings.Contains(out, "the mail server refused 1 letter: see `usciere outbox`") || !strings.Contains(out, "0 await a protocol number, 1 to be sent, of which 1 stuck") {
		t.Error(out)
	}
	d.stop()
	d = d.again("--demo", "--config", d.config())
	d.must("office", "change", "tributi", "--mailbox", "tributi@comune.demo.test")
	before := d.awaitAttempt(stuck)
	if before.Attempts != 1 {
		t.Errorf("a refused letter was tried %d times", before.Attempts)
	}
	first := d.awaitLetter(stuck, policy.Issued).Letter.Issue
	if out := d.must("letter", "resend", stuck); !strings.Contains(out, "to tributi@comune.demo.test") {
		t.Error(out)
	}
	sent := d.awaitLetter(stuck, policy.Sent).Letter.Issue
	if sent.MessageID != first.MessageID || sent.Digest != first.Digest {
		t.Errorf("sent as %+v, issued as %+v", sent, first)
	}
	d.must("letter", "resend", late)
	eventually(t, "three mails are there", func() bool { return len(m.mails()) == 3 })
	ids := map[string]int{}
	for _, got := range m.mails() {
		ids[got.id]++
	}
	if len(ids) != 2 || ids["<"+sent.MessageID+">"] != 1 {
		t.Errorf("mails %v", ids)
	}
	if out := d.must("outbox"); !strings.Contains(out, "nothing waits to be sent") {
		t.Error(out)
	}
	d.verify()
	d.stop()
}

func TestNothingIsSentWithoutTheEncryptionThatIsAskedFor(t *testing.T) {
	plain, secret := serveMail(t, true), serveMail(t, false)
	for _, test := range []struct{ name, settings, want string }{
		{"a server without STARTTLS", "server: \"localhost:" + portOf(plain.addr) + "\", ca: " + plain.ca, "it offers no STARTTLS"},
		{"a certificate of another root", "server: \"localhost:" + portOf(secret.addr) + "\", ca: " + plain.ca, "certificate signed by unknown authority"},
		{"a certificate of no root of the machine", "server: \"localhost:" + portOf(secret.addr) + "\"", "certificate signed by unknown authority"},
		{"a certificate of another name", "server: \"127.0.0.1:" + portOf(secret.addr) + "\", ca: " + secret.ca, "cannot validate certificate for 127.0.0.1"},
		{"TLS from the start, to a server that waits for STARTTLS", "server: \"localhost:" + portOf(secret.addr) + "\", tls: tls, ca: " + secret.ca, "tls:"},
		{"a log-in that the server refuses", "server: \"localhost:" + portOf(secret.addr) + "\", user: u, password_file: password, ca: " + secret.ca, "535"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			config := filepath.Join(folder, "usciere.yaml")
			write(t, filepath.Join(folder, "password"), "segreta\n")
			writeMailSettings(t, config, test.settings)
			d := serve(t, setup{args: []string{"--demo", "--config", config}, state: filepath.Join(folder, "state")})
			id := d.notice(1)
			d.must("letter", "register", id, "--protocol", "501/2026")
			if w := d.awaitAttempt(id); w.Refused || !strings.Contains(w.Error, test.want) {
				t.Errorf("%+v", w)
			}
			if log := d.log.String(); strings.Contains(log, "segreta") {
				t.Error("the password is in the log")
			}
			writeMailSettings(t, config, "server: \"localhost:"+portOf(secret.addr)+"\", user: usciere, password_file: password, ca: "+secret.ca)
			d.reload("settings read again")
			d.awaitLetter(id, policy.Sent)
			d.stop()
		})
	}
	if got := plain.mails(); len(got) > 0 {
		t.Errorf("%d mails went out in plain text", len(got))
	}
	if log := secret.mainLog(); !strings.Contains(log, "A=plain:usciere") {
		t.Errorf("nobody logged in:\n%s", log)
	}
	d := mailing(t, "tls: none, server: \"localhost:"+portOf(plain.addr)+"\"")
	id := d.notice(1)
	d.must("letter", "register", id, "--protocol", "501/2026")
	d.awaitLetter(id, policy.Sent)
	eventually(t, "the mail without encryption is there", func() bool { return len(plain.mails()) == 1 })
	d.stop()
}

func TestLettersWithoutAMailServerArePrinted(t *testing.T) {
	d := demo(t)
	id := d.notice(1)
	if out := d.must("letter", "show", id); !strings.Contains(out, "draft") || !strings.Contains(out, "________") {
		t.Error(out)
	}
	if out := d.must("letter", "register", id, "--protocol", "501/2026"); !strings.Contains(out, "it goes by no mail: usciere letter show "+id+" --html FILE") {
		t.Error(out)
	}
	if page := d.must("letter", "show", id, "--html", "-"); !strings.HasPrefix(page, "<!DOCTYPE html>\n<html lang=\"it\">") || !strings.Contains(page, "501/2026") {
		t.Error(page)
	}
	if r := d.usciere("letter", "resend", id); r.code != 1 || !strings.Contains(r.err, "there is no mail server") {
		t.Error(r)
	}
	if out := d.must("outbox"); !strings.Contains(out, "nothing waits to be sent") {
		t.Error(out)
	}
	d.stop()
}
