// Command usciere keeps the door of a public office's network: a DNS resolver that answers each workstation for the names
// its office asked for and was granted, and leads everything else to a page that says why and how to ask.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Version is set by the build.
var Version = "0.1.0"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:]))
}

// execute runs one command and returns its exit code.
func execute(ctx context.Context, args []string) int {
	root := rootCommand()
	root.SetArgs(args)
	return report(os.Stderr, root.ExecuteContext(ctx))
}

// exitCode ends a command that has said what there is to say.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit status %d", int(c)) }
