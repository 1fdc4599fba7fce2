package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"usciere/policy"
	"usciere/policy/admin"
)

func tokenCommand() *cobra.Command {
	return group("token", "Tokens: what a laptop shows to keep its office's rules wherever it is", tokenAdd(), tokenRotate(), tokenRevoke(), tokenList())
}

func tokenAdd() *cobra.Command {
	var change policy.AddToken
	var host, certificate string
	c := online(&cobra.Command{
		Use:   "add ID --seat ID|--host ADDR",
		Short: "Make a token for a seat or a host, and show its secret once",
		Long: "Make a token for a seat or a host, and show its secret once: a machine that shows it is taken for the seat's, or for the machine at\n" +
			"that address, wherever it asks from. The secret goes into the address of DNS over HTTPS, or before the server's name over TLS and\n" +
			"QUIC, where whoever is on the way can read it. With --certificate the machine is known by its client certificate instead.\n\n" +
			"The secret is made here and kept nowhere: the rules and the journal have its hash.",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
	}, func(s *session, args []string) (err error) {
		change.ID = args[0]
		if host != "" {
			if change.Host, err = parseAddr(host); err != nil {
				return err
			}
		}
		var secret string
		if secret, change.Shows, change.Hash, err = credential(certificate); err != nil {
			return err
		}
		made, err := s.AddToken(s.ctx, change)
		if err != nil {
			return err
		}
		return s.showToken("added", made, secret)
	})
	f := c.Flags()
	f.StringVar(&change.Seat, "seat", "", "`ID` of the seat that it is for")
	f.StringVar(&host, "host", "", "`ADDR` of the host that it is for, as entered with usciere host add")
	certificateFlag(c, &certificate)
	textFlag(c, &change.Until, "until", "last `DAY` (until it is revoked)")
	c.MarkFlagsMutuallyExclusive("seat", "host")
	c.MarkFlagsOneRequired("seat", "host")
	complete(c, "seat", seats)
	return c
}

func certificateFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "certificate", "", "`FILE` of a client certificate (PEM) that the machine shows instead of a secret")
	if err := c.MarkFlagFilename("certificate", "pem", "crt"); err != nil {
		panic(err) // the flag is not there: a fault of the program
	}
}

// credential is what a token is to be known by: a new secret, or the key of a certificate.
func credential(certificate string) (secret string, kind policy.TokenKind, h policy.Hash, err error) {
	if certificate == "" {
		secret, h = policy.NewSecret()
		return secret, policy.Secret, h, nil
	}
	text, err := os.ReadFile(certificate)
	if err != nil {
		return "", "", h, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return "", "", h, fmt.Errorf("%s does not begin with a certificate (PEM, -----BEGIN CERTIFICATE-----)", certificate)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", "", h, fmt.Errorf("%s: %w", certificate, err)
	}
	return "", policy.Certificate, sha256.Sum256(leaf.RawSubjectPublicKeyInfo), nil
}

// issued is a token with its secret, which is shown this once.
type issued struct {
	*policy.Token
	Secret string `json:"secret,omitempty"`
	HTTPS  string `json:"https,omitempty"`       // where DNS over HTTPS is asked with it
	Server string `json:"server_name,omitempty"` // for DNS over TLS and QUIC
}

// showToken shows a token, and where its secret goes.
func (s *session) showToken(what string, made *policy.Token, secret string) error {
	out := issued{Token: made, Secret: secret}
	var served admin.Daemon
	if secret != "" {
		if status, err := s.Status(s.ctx); err == nil {
			served = status.Daemon
		}
		if served.HTTPS != "" {
			out.HTTPS = served.HTTPS + "/" + secret
		}
		if served.ServerName != "" {
			out.Server = secret + "." + served.ServerName
		}
	}
	return s.show(out, func() {
		s.line(what, made.ID, made.Of(), strings.TrimSpace(span("", made.Until)))
		if secret == "" {
			s.detail("shows", "its client certificate, over TLS, HTTPS or QUIC")
			return
		}
		s.detail("secret", secret+"  (copy it now: it is kept nowhere)")
		if out.HTTPS != "" {
			s.detail("https", out.HTTPS)
		}
		if out.Server != "" {
			s.detail("dot, doq", "server name "+out.Server)
		}
		if out.HTTPS == "" && out.Server == "" {
			s.detail("note", "nothing is served encrypted under a name yet: see tls in the settings")
		}
	})
}

func tokenRotate() *cobra.Command {
	var change policy.RotateToken
	var certificate string
	c := online(&cobra.Command{
		Use:               "rotate ID",
		Short:             "Put a new secret, or another certificate, in the place of the old, which ends at once",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(tokens),
	}, func(s *session, args []string) (err error) {
		change.ID = args[0]
		secret, kind, hash, err := credential(certificate)
		if err != nil {
			return err
		}
		change.Hash, change.Shows = hash, kind
		made, err := s.RotateToken(s.ctx, change)
		if err != nil {
			return err
		}
		return s.showToken("rotated", made, secret)
	})
	certificateFlag(c, &certificate)
	return c
}

func tokenRevoke() *cobra.Command {
	return online(&cobra.Command{
		Use:               "revoke ID",
		Short:             "End a token: who shows it is refused",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(tokens),
	}, func(s *session, args []string) error {
		old, err := s.RevokeToken(s.ctx, policy.RevokeToken{ID: args[0]})
		if err != nil {
			return err
		}
		return s.show(old, func() { s.line("revoked", old.ID, old.Of()) })
	})
}

func tokenList() *cobra.Command {
	return online(&cobra.Command{
		Use:   "list",
		Short: "List the tokens, and whom who shows one is taken for",
		Args:  cobra.NoArgs,
	}, func(s *session, _ []string) error {
		list, err := s.Tokens(s.ctx)
		if err != nil {
			return err
		}
		return s.show(list, func() {
			var rows [][]string
			for _, t := range list.Tokens {
				role := string(t.Role)
				if role == "" {
					role = "nobody now"
				}
				rows = append(rows, []string{t.ID, t.Of(), t.Office, role, string(t.Kind), string(t.Until)})
			}
			s.table("no tokens; make one with `usciere token add ID --seat ID`", []string{"TOKEN", "OF", "OFFICE", "ROLE", "SHOWS", "UNTIL"}, rows)
		})
	})
}
