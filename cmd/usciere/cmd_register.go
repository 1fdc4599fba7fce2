package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"usciere/policy/admin"
)

func registerCommand() *cobra.Command {
	return group("register", "The register: requests, decisions and notices with their protocol numbers", registerExport())
}

func registerExport() *cobra.Command {
	var filter admin.RegisterFilter
	var format string
	var force bool
	c := &cobra.Command{
		Use:   "export [FILE]",
		Short: "Write the register, as CSV or JSON, with the journal's head",
		Long: "Write every request with its decision, and every notice, with the protocol numbers in and out (Art. 6), as CSV\n" +
			"(RFC 4180, UTF-8) or as one JSON document. The head of the journal that it is of stands in the last record, in the\n" +
			"column journal_head, or at the end of the document; `usciere audit --head` and `usciere journal verify --head` hold\n" +
			"a journal against it. A text that a spreadsheet would take for a formula begins with an apostrophe in the CSV.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if format != "csv" && format != "json" {
				return usageError(fmt.Sprintf("-o %q: the formats are csv and json", format))
			}
			client := admin.Dial(socketOf(c))
			defer client.Close()
			rows := 0
			write := func(w io.Writer) (int64, error) {
				var out registerWriter = &csvRegister{w: csv.NewWriter(w)}
				if format == "json" {
					out = &jsonRegister{w: w}
				}
				if err := out.begin(); err != nil {
					return 0, err
				}
				end, err := client.Register(c.Context(), filter, out.row)
				if err != nil {
					return 0, err
				}
				rows = end.Rows
				return 0, out.end(end)
			}
			if len(args) == 0 {
				_, err := write(c.OutOrStdout())
				return err
			}
			_, err := writeWhole(args[0], force, write)
			if err == nil {
				screen{c.OutOrStdout()}.line("exported", args[0], counted(uint64(rows), "row"))
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVarP(&format, "output", "o", "csv", "`FORMAT` of the output: csv or json")
	f.StringVar(&filter.Year, "year", "", "only `YYYY`: of the protocol number, or of the date where there is none")
	f.StringVar(&filter.Office, "office", "", "only of the office `ID`")
	f.BoolVar(&force, "force", false, "put it in the place of a file that is there")
	addSocketFlag(c)
	complete(c, "output", cobra.FixedCompletions([]string{"csv", "json"}, cobra.ShellCompDirectiveNoFileComp))
	complete(c, "office", offices)
	return c
}

// registerWriter writes the register in a format.
type registerWriter interface {
	begin() error
	row(*admin.RegisterRow) error
	end(admin.RegisterEnd) error
}

// jsonRegister writes one document: {"rows": [ … ], "count": N, "head": "SEQ:HASH"}.
type jsonRegister struct {
	w    io.Writer
	rows int
}

func (j *jsonRegister) begin() error {
	_, err := io.WriteString(j.w, "{\"rows\": [")
	return err
}

func (j *jsonRegister) row(r *admin.RegisterRow) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return err
	}
	comma := ","
	if j.rows++; j.rows == 1 {
		comma = ""
	}
	_, err := fmt.Fprintf(j.w, "%s\n  %s", comma, printableJSON(strings.TrimSuffix(text.String(), "\n")))
	return err
}

func (j *jsonRegister) end(e admin.RegisterEnd) error {
	_, err := fmt.Fprintf(j.w, "\n], \"count\": %d, \"head\": %q}\n", e.Rows, e.Head)
	return err
}

// csvRegister writes RFC 4180: lines end with CR LF, the first is the header.
type csvRegister struct{ w *csv.Writer }

var registerColumns = []string{
	"kind", "id", "protocol_in", "date_in", "protocol_out", "date_out", "office", "office_name", "seat", "signer", "state", "channel",
	"subject", "ground", "reason", "renews", "request", "decided", "decided_by", "decision", "left", "grants", "letters", "sent", "journal_head",
}

func (c *csvRegister) begin() error {
	c.w.UseCRLF = true
	return c.w.Write(registerColumns)
}

func (c *csvRegister) row(r *admin.RegisterRow) error {
	var grants, left, letters []string
	for _, g := range r.Grants {
		text := fmt.Sprintf("%s %s (%s, %s)%s", g.ID, g.Opens, g.For, g.Channel, span(g.From, g.Until))
		if g.Limits != "" {
			text += " " + g.Limits
		}
		if g.Revoked != nil {
			text += " revoked " + g.Revoked.Format(time.RFC3339)
		}
		grants = append(grants, text)
	}
	for _, l := range r.Left {
		left = append(left, l.What+": "+l.Why)
	}
	for _, l := range r.Letters {
		text := fmt.Sprintf("%s %s %s", l.ID, l.Kind, l.State)
		if l.ProtocolOut != "" {
			text += fmt.Sprintf(" %s of %s", l.ProtocolOut, l.DateOut)
		}
		letters = append(letters, text)
	}
	return c.write(
		r.Kind, r.ID, r.ProtocolIn, string(r.DateIn), r.ProtocolOut, string(r.DateOut), r.Office, r.OfficeName, r.Seat, r.Signer, r.State,
		string(r.Channel), strings.Join(r.Subject, "; "), string(r.Ground), r.Reason, r.Renews, r.Request, instant(r.Decided), r.DecidedBy,
		r.Decision, strings.Join(left, "; "), strings.Join(grants, "; "), strings.Join(letters, "; "), instant(r.Sent), "",
	)
}

// end writes the last record, of the kind journal: how many rows there were, and the head.
func (c *csvRegister) end(e admin.RegisterEnd) error {
	last := make([]string, len(registerColumns))
	last[0], last[1], last[len(last)-1] = "journal", counted(uint64(e.Rows), "row"), e.Head
	if err := c.write(last...); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}

func (c *csvRegister) write(cells ...string) error {
	for i := range cells {
		cells[i] = harmless(cells[i])
	}
	return c.w.Write(cells)
}

// harmless puts an apostrophe before a text that a spreadsheet would take for a formula, as OWASP's "CSV Injection" has it.
func harmless(cell string) string {
	if cell == "" || !strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(cell)[0]) {
		return cell
	}
	return "'" + cell
}

func instant(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.RFC3339)
}
