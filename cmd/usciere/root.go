package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"usciere/cmd/usciere/settings"
	"usciere/policy"
	"usciere/policy/admin"
	"usciere/policy/journal"
)

// rootCommand is the command line: what serves and what is done beside a daemon, then what speaks to one.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "usciere",
		Short:         "The doorkeeper of a public office's network",
		Long:          "A DNS resolver that answers each workstation for the names its office asked for and was granted,\nand leads everything else to a page that says why and how to ask.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		serveCommand(), checkCommand(), restoreCommand(),
		statusCommand(), topCommand(),
		officeCommand(), networkCommand(), hostCommand(), seatCommand(), deviceCommand(), dhcpCommand(), tokenCommand(), serviceCommand(),
		requestCommand(), allowCommand(), grantCommand(), explainCommand(), aliasCommand(), askedCommand(), traceCommand(),
		letterCommand(), outboxCommand(),
		auditCommand(), registerCommand(), reviewCommand(),
		exportCommand(), applyCommand(), importCommand(), schemaCommand(),
		journalCommand(), cacheCommand(), upstreamCommand(), securityCommand(), firewallCommand(), caCommand(), backupCommand(), profileCommand(), versionCommand(),
	)
	markFailures(root)
	spellOut(root)
	return root
}

// failure is an error of a command that was understood; every other error that cobra returns is one of usage.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// markFailures makes every command below return its errors as failures.
func markFailures(c *cobra.Command) {
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			err := run(c, args)
			if err == nil || errors.As(err, new(usageError)) {
				return err
			}
			return failure{err}
		}
	}
	for _, sub := range c.Commands() {
		markFailures(sub)
	}
}

// spellOut makes every command below say how it is written when it is given too few arguments or too many.
func spellOut(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if check(c, args) == nil {
				return nil
			}
			quotes := ""
			if len(args) > 1 {
				quotes = "\na text of several words needs quotes"
			}
			return usageError(fmt.Sprintf("%s here, which is not what %s takes\nwrite %s %s%s", counted(len(args), "argument"), c.CommandPath(), c.Parent().CommandPath(), c.Use, quotes))
		}
	}
	for _, sub := range c.Commands() {
		spellOut(sub)
	}
}

// usageError is an error of usage that cobra cannot see.
type usageError string

func (e usageError) Error() string { return string(e) }

// What cobra says of flags that belong together.
var (
	flagGroup  = regexp.MustCompile(`^at least one of the flags in the group \[(.+)\] is required$`)
	flagsApart = regexp.MustCompile(`^if any flags in the group \[.+\] are set none of the others can be; \[(.+)\] were all set$`)
)

// report tells of a command's error, with what to do about it indented below, and returns the exit code: 1 for a failure,
// 2 for an error of usage.
func report(w io.Writer, err error) int {
	var exit exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	}
	message, hint := err.Error(), ""
	var refusal *policy.Error
	if errors.As(err, &refusal) {
		message, hint = refusal.Message, refusal.Hint
		for _, p := range refusal.Problems {
			hint += "\n" + p.Path + ": " + p.Message
		}
	} else {
		message, hint, _ = strings.Cut(message, "\n")
	}
	if bad := (*journal.BadEntryError)(nil); hint == "" && errors.As(err, &bad) && bad.Line == 1 && bad.Reason == journal.Malformed {
		hint = "is it what `usciere journal export` wrote? a register or a backup is something else"
	}
	if groups := flagGroup.FindStringSubmatch(message); groups != nil {
		message = "one of these is needed: --" + strings.ReplaceAll(groups[1], " ", ", --")
	} else if groups := flagsApart.FindStringSubmatch(message); groups != nil {
		message = "these do not go together: --" + strings.ReplaceAll(groups[1], " ", ", --")
	}
	out := screen{w}
	out.note("error: " + message)
	for line := range strings.Lines(hint) {
		if line = strings.TrimSpace(line); line != "" {
			out.note("  " + line)
		}
	}
	if !errors.As(err, new(failure)) {
		out.note("  see `usciere help`, or the command with --help")
		return 2
	}
	return 1
}

// group is a command that only has commands below it.
func group(use, short string, below ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use:   use,
		Short: short,
		RunE: func(c *cobra.Command, args []string) error {
			names := make([]string, 0, len(c.Commands()))
			for _, sub := range c.Commands() {
				names = append(names, sub.Name())
			}
			if len(args) == 0 {
				return usageError(fmt.Sprintf("%s needs a command: %s", c.CommandPath(), strings.Join(names, ", ")))
			}
			return usageError(fmt.Sprintf("unknown command %q for %s: it has %s", args[0], c.CommandPath(), strings.Join(names, ", ")))
		},
	}
	c.AddCommand(below...)
	return c
}

// session is one run of a command that speaks to the daemon.
type session struct {
	*admin.Client
	ctx context.Context
	screen
	status status
	asJSON bool
}

// online makes a command one that speaks to the daemon: it takes --socket and -o.
func online(c *cobra.Command, run func(s *session, args []string) error) *cobra.Command {
	var output string
	addSocketFlag(c)
	outputFlag(c, &output)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkOutput(output); err != nil {
			return err
		}
		client := admin.Dial(socketOf(c))
		defer client.Close()
		return run(&session{client, c.Context(), screen{c.OutOrStdout()}, newStatus(), output == "json"}, args)
	}
	return c
}

func outputFlag(c *cobra.Command, output *string) {
	c.Flags().StringVarP(output, "output", "o", "table", "`FORMAT` of the output: table or json")
	complete(c, "output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

func checkOutput(output string) error {
	if output != "table" && output != "json" {
		return usageError(fmt.Sprintf("-o %q: the formats are table and json", output))
	}
	return nil
}

// show prints what a command found or did: as JSON, or as human does.
func (s *session) show(reply any, human func()) error {
	if s.asJSON {
		return s.json(reply)
	}
	human()
	return nil
}

func addSocketFlag(c *cobra.Command) {
	c.Flags().String("socket", "", "`PATH` of the daemon's admin socket (else $USCIERE_SOCKET, else the default)")
}

func socketOf(c *cobra.Command) string {
	if path, err := c.Flags().GetString("socket"); err == nil && path != "" {
		return path
	}
	return defaultSocket()
}

// packagedSocket is where the packaged daemon has its socket, for every user to find.
const packagedSocket = "/run/usciere/admin.sock"

// defaultSocket is the socket when no flag names one: $USCIERE_SOCKET, else the one of the state folder that systemd gave,
// else the packaged daemon's if there is one, else the one of the user's own state folder, or of the demo if only that runs.
func defaultSocket() string {
	if path := os.Getenv("USCIERE_SOCKET"); path != "" {
		return path
	}
	if os.Getenv("STATE_DIRECTORY") == "" && isThere(packagedSocket) {
		return packagedSocket
	}
	folder, err := settings.Settings{}.StateFolder()
	if err != nil {
		return packagedSocket
	}
	own, demo := filepath.Join(folder, "admin.sock"), filepath.Join(demoFolder(folder), "admin.sock")
	if !isThere(own) && isThere(demo) {
		return demo
	}
	return own
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// textFlag is a flag whose value reads itself.
func textFlag[T ~string, P interface {
	*T
	UnmarshalText([]byte) error
}](c *cobra.Command, value P, name, usage string) {
	c.Flags().Var(textValue[T, P]{value}, name, usage)
}

type textValue[T ~string, P interface {
	*T
	UnmarshalText([]byte) error
}] struct{ value P }

func (v textValue[T, P]) String() string {
	if v.value == nil {
		return ""
	}
	return string(*v.value)
}

func (v textValue[T, P]) Set(text string) error { return v.value.UnmarshalText([]byte(text)) }

func (v textValue[T, P]) Type() string { return "text" }
