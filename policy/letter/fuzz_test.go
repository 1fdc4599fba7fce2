package letter

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"usciere/policy"
)

var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</title><style>@import "//x"</style>`, "a\r\nBcc: x@y.it\r\n\r\nx", "\x1b[2J\u202ekcab\u202c",
	"\xff\xfe\x00", "javascript:alert(1)", "{office} {{.}} {signed}", strings.Repeat("x", 5000), "e\u0301\u200d\u2028\u2029\ufeff", "<!--", "&lt;b&gt;", "*.", ".",
}

// A letter about anything is valid UTF-8 without control characters, and a page that has no element or attribute which
// another letter of its kind has not.
func FuzzRender(f *testing.F) {
	for _, text := range hostile {
		for kind := range 5 {
			f.Add(text, byte(kind), byte(kind))
		}
	}
	f.Fuzz(func(t *testing.T, text string, kind, language byte) {
		kinds := []policy.LetterKind{policy.DecisionNotice, policy.DenialNotice, policy.RevocationNotice, policy.Reminder, policy.RequestForm}
		l := filledWith(text)
		l.Kind, l.Issue.Language = kinds[int(kind)%len(kinds)], languages[int(language)%len(languages)].Tag
		paper, err := Render(l, text)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := Render(l, text); again != paper {
			t.Error("not the same twice")
		}
		for _, got := range []string{paper.Text, paper.Page, Subject(l)} {
			if !utf8.ValidString(got) {
				t.Errorf("not UTF-8: %q", got)
			}
			if i := strings.IndexFunc(got, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("what cannot be printed, at %d: %q", i, got)
			}
		}
		if strings.Contains(Subject(l), "\n") {
			t.Errorf("a subject of two lines: %q", Subject(l))
		}
		checkPage(t, paper.Page)
	})
}

// filledWith is a letter with the text wherever one can be.
func filledWith(text string) *policy.Letter {
	return &policy.Letter{ID: 1, Kind: policy.DecisionNotice, Office: text, Content: policy.LetterContent{
		OfficeName: text, Seat: text, SeatName: text, Holder: text, Protocol: text, Date: policy.Moment(text), Reason: text, Channel: policy.Channel(text),
		Asked: []string{text, text}, Ground: policy.Ground(text), Left: []policy.Left{{What: text, Why: text}}, Decision: text, Renews: text,
		Opened: []policy.Opening{{What: text, Title: text, Channel: policy.Mail, From: policy.Moment(text), Until: policy.Moment(text), Terms: text}},
		Ends:   policy.Moment(text), From: policy.Moment(text), Until: policy.Moment(text), LinkEnds: policy.Moment(text),
	}, Issue: &policy.Issue{Protocol: text, Date: policy.Moment(text), Town: text, Heading: []string{text}, Signature: text, Portal: text, Head: text}}
}

// What the pages consist of; links are the only attribute that comes from outside.
var (
	elements   = strings.Fields("html head meta title style body main header section footer div h1 h2 p a ul li table thead tbody tr th td blockquote")
	attributes = strings.Fields("lang charset http-equiv content name class scope href")
)

func checkPage(t *testing.T, page string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		switch n.Type {
		case html.CommentNode:
			t.Errorf("a comment: %q", n.Data)
		case html.ElementNode:
			if !contains(elements, n.Data) {
				t.Errorf("an element %s in\n%s", n.Data, page)
			}
			for _, a := range n.Attr {
				if !contains(attributes, a.Key) {
					t.Errorf("an attribute %s of %s in\n%s", a.Key, n.Data, page)
				}
				if scheme, _, ok := strings.Cut(a.Val, ":"); a.Key == "href" && ok && !strings.Contains(scheme, "/") && !contains([]string{"http", "https", "mailto"}, strings.ToLower(scheme)) {
					t.Errorf("a link to %q", a.Val)
				}
			}
		}
	}
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

func TestThePagesLoadNothingFromOutside(t *testing.T) {
	for name, l := range samples() {
		paper, err := Render(l, token)
		if err != nil {
			t.Fatal(err)
		}
		checkPage(t, paper.Page)
		for _, bad := range []string{"<script", "src=", "url(", "@import", "<link", "<img", "<iframe"} {
			if strings.Contains(paper.Page, bad) {
				t.Errorf("%s has %s", name, bad)
			}
		}
	}
}
