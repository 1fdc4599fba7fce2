package measure

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
)

func TestAProgramIsStartedPausedAndStopped(t *testing.T) {
	load, server, err := Cores()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(t.Context(), []int{server}, t.TempDir(), "sleep", "1000")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if _, err := p.CPU(); err != nil {
		t.Error(err)
	}
	if m, err := p.Memory(); err != nil || m.RSS <= 0 {
		t.Errorf("memory %+v, %v", m, err)
	}
	if err := errors.Join(p.Pause(), p.During(func() error { return nil })); err != nil {
		t.Error(err)
	}
	p.Stop() // although it is paused
	if _, err := p.CPU(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if again, _, _ := Cores(); again != load {
		t.Errorf("this thread was left on other cores: the first is %d, was %d", again, load)
	}
}

func TestAwaitTellsWhatAProgramSaidBeforeItEnded(t *testing.T) {
	_, server, err := Cores()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(t.Context(), []int{server}, t.TempDir(), "sh", "-c", "echo no such key >&2; exit 1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Await(context.Background(), netip.MustParseAddrPort("127.0.0.1:1"), "example", 0); err == nil || !strings.Contains(err.Error(), "no such key") {
		t.Errorf("got %v", err)
	}
}
