package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestCtrlCEndsAQuestionThatNobodyAnswers(t *testing.T) {
	silent, keyboard := io.Pipe()
	defer keyboard.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	var shown strings.Builder
	d := &dialog{&session{ctx: ctx}, screen{&shown}, bufio.NewReader(silent)}
	interrupt()
	if _, err := d.ask("Office", "", func(string) error { return nil }); !errors.Is(err, errBrokenOff) {
		t.Errorf("asked, interrupted: %v", err)
	}
	if shown.String() != "Office: \n" {
		t.Errorf("shown: %q", shown.String())
	}
}
