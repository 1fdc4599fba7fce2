//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// browser is Chromium at a workstation.
type browser struct {
	t   testing.TB
	ctx context.Context
	end func()
}

// browse starts Chromium on the machine, as new: with nothing that an earlier one remembered.
func (m *machine) browse() *browser {
	m.t.Helper()
	script := "#!/bin/sh\nexec " + tool(m.t, "nsenter") + " -t " + m.pid + " -n -m -- " + tool(m.t, "chromium") + ` "$@"` + "\n"
	path := write(m.t, filepath.Join(m.t.TempDir(), "chromium"), script)
	if err := os.Chmod(path, 0o755); err != nil {
		m.t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-dev-shm-usage", true))
	all, endAll := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(all)
	b := &browser{t: m.t, ctx: ctx, end: func() { end(); endAll() }}
	m.t.Cleanup(b.end)
	return b
}

// do runs steps in the browser.
func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	within(b, func() (struct{}, error) { return struct{}{}, chromedp.Do(b.ctx, steps...) })
}

// got runs an action in the browser and returns what it found.
func got[T any](b *browser, a chromedp.Action[T]) T {
	b.t.Helper()
	return within(b, func() (T, error) { return chromedp.Run(b.ctx, a) })
}

// call gives the browser a command of its protocol.
func call[P, R any](b *browser, c cdp.Command[P, R], params P) {
	b.t.Helper()
	got(b, func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, c, params) })
}

// within fails the test when the browser takes too long.
func within[T any](b *browser, fn func() (T, error)) T {
	b.t.Helper()
	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		value, err := fn()
		done <- outcome{value, err}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			b.t.Fatal(o.err)
		}
		return o.value
	case <-time.After(30 * time.Second):
		b.t.Fatal("the browser does not answer")
	}
	panic("not reached")
}

type css = chromedp.CSS

// open goes to an address, and returns the page's text and where one is.
func (b *browser) open(url string) (text, at string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
	return b.shown()
}

func (b *browser) shown() (text, at string) {
	b.t.Helper()
	return got(b, chromedp.Text(css("body"))), got(b, chromedp.Location())
}

// speaks makes the browser ask for a language.
func (b *browser) speaks(language string) {
	b.t.Helper()
	call(b, network.Enable, network.EnableParams{})
	call(b, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": language}})
}

// looks makes the browser's window that wide, and its colours light or dark.
func (b *browser) looks(width, height int64, scheme string) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 500})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

// views are how the pages are looked at.
var views = []struct {
	name          string
	width, height int64
	scheme        string
	judged        bool // against the rules of accessibility: each width and each scheme once
}{
	{"wide-light", 1280, 800, "light", true}, {"wide-dark", 1280, 800, "dark", false},
	{"phone-light", 320, 640, "light", false}, {"phone-dark", 320, 640, "dark", true},
}

// look takes a picture of the page in every view, .build/pages/NAME-VIEW.png, and holds it against the rules of accessibility.
func (b *browser) look(name string) {
	b.t.Helper()
	for _, v := range views {
		b.looks(v.width, v.height, v.scheme)
		picture := got(b, chromedp.FullScreenshot(100))
		if err := os.WriteFile(filepath.Join(pictures(b.t), name+"-"+v.name+".png"), picture, 0o644); err != nil {
			b.t.Fatal(err)
		}
		if got(b, chromedp.Evaluate[bool]("document.documentElement.scrollWidth > window.innerWidth")) {
			b.t.Errorf("%s, %s: the page is wider than the screen", name, v.name)
		}
		if v.judged {
			b.accessible(name + ", " + v.name)
		}
	}
	b.looks(1280, 800, "light")
}

// pictures is the folder of the screenshots.
func pictures(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join(repository, ".build", "pages"))
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// accessible holds the page against WCAG 2.1 AA and the good practice that axe-core knows.
func (b *browser) accessible(what string) {
	b.t.Helper()
	axe, err := os.ReadFile(filepath.Join(repository, ".build", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		b.t.Fatalf("%v: `make e2e` installs what these tests need", err)
	}
	got(b, chromedp.Evaluate[chromedp.Void](string(axe)+"; 0"))
	found := got(b, chromedp.Evaluate[string](`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}).then(r => JSON.stringify({
		checked: r.passes.length, wrong: r.violations.map(v => v.id + ": " + v.help + " at " + v.nodes.map(n => n.html + " (" + n.failureSummary + ")").join("; "))}))`,
		chromedp.EvalAwaitPromise))
	var result struct {
		Checked int
		Wrong   []string
	}
	if err := json.Unmarshal([]byte(found), &result); err != nil {
		b.t.Fatal(err)
	}
	if result.Checked < 10 {
		b.t.Errorf("%s: only %d rules were checked", what, result.Checked)
	}
	for _, w := range result.Wrong {
		b.t.Errorf("%s: %s", what, w)
	}
}

// says checks that a page says all of these.
func says(t testing.TB, text string, parts ...string) {
	t.Helper()
	plain := strings.Join(strings.Fields(text), " ")
	for _, part := range parts {
		if !strings.Contains(plain, part) {
			t.Errorf("%q is not in the page:\n%s", part, text)
		}
	}
}
