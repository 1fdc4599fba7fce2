package blocklist

import (
	"context"
	"log/slog"
	"testing"
)

func TestThePublicServicesAreAListLikeOthers(t *testing.T) {
	lists := New(slog.New(slog.DiscardHandler))
	lists.Load(context.Background(), []Source{{Path: PublicPath, Public: true}})
	lists.Poll(context.Background())
	if s := lists.State(); len(s) != 1 || s[0].Names != len(PublicNames) || s[0].Problem != "" || s[0].Skipped != 0 {
		t.Fatalf("%+v", s)
	}
	for name, want := range map[string]bool{
		"\x03dns\x06google\x00": true, "\x06family\x0ecloudflare-dns\x03com\x00": true, "\x06google\x00": false, "\x03www\x06google\x03com\x00": false,
	} {
		if m, ok := lists.Find([]byte(name)); ok != want || ok && m.Name != PublicPath {
			t.Errorf("%q: %v, %v", name, m, ok)
		}
	}
	lists.Load(context.Background(), nil)
	if _, ok := lists.Find([]byte("\x03dns\x06google\x00")); ok {
		t.Error("it stays when it is switched off")
	}
}
