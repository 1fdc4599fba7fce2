package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"usciere/cmd/usciere/settings"
	"usciere/policy"
	"usciere/policy/letter"
	"usciere/policy/post"
	"usciere/policy/request"
)

// desk does the paperwork that nobody has to ask for: it sends letters, and once a day writes the reminders that are due and
// notes which requests are over. It alone receives from Live.Changed.
type desk struct {
	rules    *policy.Live
	settings func() settings.Settings // in force
	now      func() time.Time
	log      *slog.Logger
	post     *post.Worker
}

func newDesk(rules *policy.Live, inForce func() settings.Settings, now func() time.Time, log *slog.Logger) *desk {
	return &desk{rules: rules, settings: inForce, now: now, log: log, post: post.New(rules, now, log)}
}

// longestNap bounds how long the desk sleeps: a machine that was suspended, or whose clock was set, is not a day late.
const longestNap = 6 * time.Hour

// run works until ctx ends.
func (d *desk) run(ctx context.Context) {
	var poster sync.WaitGroup
	poster.Go(func() { d.post.Run(ctx) })
	defer poster.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var done policy.Moment // the day of the last daily work
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.rules.Changed():
			d.post.Wake()
		case <-timer.C:
			zone := d.rules.Snapshot().Town().Zone
			if today := policy.DayOf(d.now(), zone); today != done {
				done = today
				d.daily()
			}
			timer.Reset(min(longestNap, done.End(zone).Sub(d.now())+time.Second))
		}
	}
}

// daily does what is due on a day, and nothing when nothing is.
func (d *desk) daily() {
	d.remind()
	d.expire()
}

// system is the daemon as the author of changes.
var system = policy.Actor{Name: "usciere", Via: "system"}

// remind writes the reminders that are due.
func (d *desk) remind() {
	for {
		s := d.settings()
		var due []letter.Due
		err := d.rules.View(func(r policy.Records) (err error) {
			due, err = letter.DueReminders(r, d.rules.Snapshot(), d.now(), s.Letters.Reminders)
			return err
		})
		if err != nil {
			d.log.Error("look for reminders that are due", "error", err)
			return
		}
		if len(due) == 0 {
			return
		}
		if _, err := d.rules.Apply(system, letter.Remind{Due: due, Style: styleOf(s)}); err != nil {
			if !policy.IsCode(err, policy.Conflict) { // else what was due was revoked meanwhile
				d.log.Error("write reminders", "error", err)
			}
			return
		}
		d.log.Info("reminders written", "due", len(due))
	}
}

// expire notes of requests that the last of their grants has ended.
func (d *desk) expire() {
	var over []policy.RequestID
	err := d.rules.View(func(r policy.Records) (err error) {
		over, err = request.Over(r, d.now(), d.rules.Snapshot().Town().Zone)
		return err
	})
	if err == nil && len(over) > 0 {
		_, err = d.rules.Apply(system, request.Expire{Requests: over})
	}
	if err != nil && !policy.IsCode(err, policy.Conflict) { // else one of them was renewed or withdrawn meanwhile: tomorrow
		d.log.Error("note the requests that are over", "error", err)
	}
}

// styleOf is how letters look and go out.
func styleOf(s settings.Settings) letter.Style {
	_, domain, _ := strings.Cut(s.Mail.From, "@")
	return letter.Style{
		Language: s.Letters.Language, Town: s.Town.Name, Heading: s.Letters.Heading, Signature: strings.Join(s.Letters.Signature, "\n"),
		Portal: portalURL(s), Mail: s.Mail.Server != "", Domain: domain,
	}
}

// mailServerOf is the mail server of the settings, with the files that they name; nil when none is set.
func mailServerOf(s settings.Settings) (*post.Server, error) {
	m := s.Mail
	if m.Server == "" {
		return nil, nil
	}
	host, port, err := m.Address()
	if err != nil {
		return nil, fmt.Errorf("mail.server: %w", err)
	}
	out := &post.Server{
		Host: host, Port: int(port), Security: post.Security(m.TLS), User: m.User, From: m.From, Name: s.Town.Name, Timeout: m.Timeout,
	}
	if m.CA != "" {
		text, err := readSmall(m.CA)
		if err != nil {
			return nil, fmt.Errorf("mail.ca: %w", err)
		}
		if out.Roots = x509.NewCertPool(); !out.Roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("mail.ca: %s has no certificate in PEM form", m.CA)
		}
	}
	if m.Password != "" {
		text, err := readSmall(m.Password)
		if err != nil {
			return nil, fmt.Errorf("mail.password_file: %w", err)
		}
		line, _, _ := bytes.Cut(text, []byte("\n"))
		if out.Password = string(bytes.TrimRight(line, "\r")); out.Password == "" {
			return nil, fmt.Errorf("mail.password_file: the first line of %s is empty", m.Password)
		}
	}
	return out, nil
}

// maxSmall is the largest file of certificates or of a password, in octets: all certificates of a machine have some 200 KiB.
const maxSmall = 4 << 20

func readSmall(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is no regular file", path), err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(text) > maxSmall {
		err = fmt.Errorf("%s is larger than %d MiB", path, maxSmall>>20)
	}
	return text, err
}
