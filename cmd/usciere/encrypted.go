package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"usciere/cmd/usciere/settings"
	"usciere/policy"
	"usciere/resolver"
	"usciere/resolver/listen"
)

// openCertificate reads the certificate of the encrypted service, if there is one, and looks after its files until ctx ends.
func (d *daemon) openCertificate(ctx context.Context, s settings.TLS) (err error) {
	if !s.Served() {
		return nil
	}
	if d.certificate, err = listen.OpenCertificate(s.Certificate, s.Key, time.Now, d.log); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	go func() {
		ticker := time.NewTicker(listen.CertificateEvery)
		defer ticker.Stop()
		d.certificate.Watch(ctx, ticker.C)
	}()
	return nil
}

// checkTLS reads the certificate once, and returns what to say of it.
func checkTLS(s settings.TLS) (string, error) {
	if !s.Served() {
		return "(none: nothing is served encrypted)  ok", nil
	}
	c, err := listen.OpenCertificate(s.Certificate, s.Key, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", fmt.Errorf("tls: %w", err)
	}
	if problem := c.Problem(); problem != "" {
		return problem, nil
	}
	return s.Certificate + "  ok", nil
}

// encryptedOf is what workstations are told of the encrypted service: what is really bound, under the name of the settings or else of the
// certificate.
func (d *daemon) encryptedOf(s settings.TLS) (out resolver.Encrypted, err error) {
	if d.certificate == nil {
		return out, nil
	}
	out = resolver.Encrypted{TLS: d.dns.TLSAddrs(), HTTPS: d.dns.HTTPSAddrs(), QUIC: d.dns.QUICAddrs(), Path: listen.WebPath, HTTP3: d.opened.TLS.HTTP3}
	if s.Name != "" {
		name, err := policy.ParseName(s.Name)
		if err != nil {
			return out, fmt.Errorf("tls.name: %w", err)
		}
		out.Name = func() policy.Name { return name }
		return out, nil
	}
	out.Name = func() policy.Name {
		name, err := policy.ParseName(d.certificate.Name())
		if err != nil || name == policy.Root {
			return ""
		}
		return name
	}
	return out, nil
}

// encrypted is where DNS is served encrypted, for people.
func (d *daemon) encrypted() (out []string) {
	for _, a := range d.dns.TLSAddrs() {
		out = append(out, "dot "+a.String())
	}
	for _, a := range d.dns.HTTPSAddrs() {
		text := "https://" + strings.TrimSuffix(a.String(), ":443") + listen.WebPath
		if d.opened.TLS.HTTP3 {
			text += " (HTTP/3 too)"
		}
		out = append(out, text)
	}
	for _, a := range d.dns.QUICAddrs() {
		out = append(out, "doq "+a.String())
	}
	return out
}

// named is where DNS over HTTPS is served under the name of all this, and that name, when TLS or QUIC is served and the certificate is
// for the names below it as well, one of which a client with a token asks for.
func (d *daemon) named() (https, server string) {
	if d.certificate == nil {
		return "", ""
	}
	served, err := d.encryptedOf(d.inForce.Load().settings.TLS)
	if err != nil || served.Name() == "" {
		return "", ""
	}
	name := served.Name().String()
	if len(served.HTTPS) > 0 {
		port := fmt.Sprintf(":%d", served.HTTPS[0].Port())
		https = "https://" + name + strings.TrimSuffix(port, ":443") + served.Path
	}
	if len(served.TLS)+len(served.QUIC) > 0 && d.certificate.For("x."+name) == nil {
		server = name
	}
	return https, server
}

// encryptedProblems are those of the certificate, and that there is none.
func (d *daemon) encryptedProblems() []string {
	if d.certificate == nil {
		if n := len(d.rules.Snapshot().Tokens()); n > 0 {
			return []string{counted(n, "token") + ": nothing is served encrypted, so that nobody can show one (see tls in the settings)"}
		}
		return nil
	}
	var out []string
	if problem := d.certificate.Problem(); problem != "" {
		out = append(out, "tls: "+problem)
	}
	if name := d.inForce.Load().settings.TLS.Name; name != "" && d.certificate.For(name) != nil {
		out = append(out, fmt.Sprintf("tls: the certificate is not for %s (tls.name), under which workstations are told of it", name))
	}
	return out
}
