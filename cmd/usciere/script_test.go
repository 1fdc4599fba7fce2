package main

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"usciere/policy/admin"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"usciere": main})
}

// TestScripts runs testdata/*.txtar against the built program: what a person types, and sees.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("USCIERE_SOCKET", filepath.Join(e.WorkDir, "s"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"answering": answering,
			"exits":     exits,
		},
	})
}

// answering waits until a daemon answers on a socket: answering SOCKET.
func answering(ts *testscript.TestScript, _ bool, args []string) {
	client := admin.Dial(ts.MkAbs(args[0]))
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		_, err := client.Status(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("no daemon: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// exits runs a program that must end with an exit code: exits CODE PROGRAM ARG….
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	default:
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
