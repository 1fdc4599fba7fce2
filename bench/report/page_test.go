package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
)

// sample is a page with every kind of picture, and names that are not to be taken for HTML.
func sample() Page {
	curves := Lines{
		Shows: `curves of "a" & <b>`,
		X:     Axis{Label: "x <units>", Log: true, Ticks: []Tick{{1, "1"}, {10, "10"}, {100, "100"}}},
		Y:     Axis{Label: "y", Ticks: Steps(7, func(v float64) string { return fmt.Sprint(v) })},
		Series: []Series{
			{"a & b", []Point{{1, 1}, {10, 5}, {100, 7}}},
			{"<script>", []Point{{1, 1}, {10, 5}, {100, 7}}},
		},
	}
	stacked := curves
	stacked.Stacked, stacked.Y.Ticks = true, Steps(14, func(v float64) string { return fmt.Sprint(v) })
	bars := Bars{
		Shows: "bars",
		Axis:  Axis{Label: "µs", Ticks: Steps(3, func(v float64) string { return fmt.Sprint(v) })},
		Bars:  []Bar{{Name: "<i>one", Value: 2, Text: "2 µs", From: 1.5, To: 2.5}, {Name: "two", Value: 3, Text: "3 µs", Colour: 4}},
	}
	table := Table{Head: []string{"", "p50"}, Rows: [][]string{{"a & b", "1"}, {"<script>", "2"}}}
	return Page{
		Title: "Figures <1>", Lead: []string{"On a machine & a day."}, Not: []string{"Not more."},
		Sections: []Section{{"Curves", "", curves, table}, {"Areas", "text", stacked, table}, {"Bars", "", bars, table}, {"Table", "", nil, table}},
	}
}

func written(t *testing.T, p Page) string {
	t.Helper()
	var b strings.Builder
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAPageNeedsNothingBesideIt(t *testing.T) {
	text := written(t, sample())
	for _, bad := range []string{"<script", "<link", "<img", "src=", "href=", "url(", "http:", "https:", "@import"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if handler := regexp.MustCompile(`\son\w+=`).FindString(text); handler != "" {
		t.Errorf("the page has %q", handler)
	}
}

func TestEveryPictureIsWellFormedAndSaysWhatItShows(t *testing.T) {
	pictures := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(written(t, sample()), -1)
	if len(pictures) != 3 {
		t.Fatalf("%d pictures", len(pictures))
	}
	for _, p := range pictures {
		d := xml.NewDecoder(strings.NewReader(p))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in %s", err, p)
			}
		}
		if !strings.Contains(p, `role="img"`) || strings.Contains(p, `aria-label=""`) || strings.Contains(p, "NaN") || strings.Contains(p, "Inf") {
			t.Errorf("not as it should be: %s", p)
		}
	}
	if !strings.Contains(pictures[0], "&lt;script&gt;") || !strings.Contains(pictures[0], "a &amp; b") {
		t.Errorf("a name is missing: %s", pictures[0])
	}
}

func TestEveryFigureStandsInATableWithHeadings(t *testing.T) {
	text := written(t, sample())
	if n := strings.Count(text, "<table>"); n != 4 {
		t.Errorf("%d tables", n)
	}
	if n := strings.Count(text, `<th scope="row">a &amp; b</th><td>1</td>`); n != 4 {
		t.Errorf("%d rows of a & b", n)
	}
	if !strings.Contains(text, `<th scope="col">p50</th>`) || !strings.Contains(text, "prefers-color-scheme: dark") || !strings.Contains(text, "@media print") {
		t.Error("no column heading, no dark colours or nothing for print")
	}
}

func TestNamesOfCurvesDoNotCoverEachOther(t *testing.T) {
	const bottom = 332
	for _, tc := range []struct {
		name   string
		labels []label
	}{
		{"all at one height", []label{{600, 100, 50}, {600, 100, 50}, {610, 100, 50}, {620, 100, 50}}},
		{"all at the bottom", []label{{600, 330, 50}, {600, 331, 50}, {600, 329, 50}, {600, 320, 50}}},
		{"all at the top", []label{{600, 34, 50}, {600, 35, 50}, {600, 36, 50}}},
		{"far from each other", []label{{600, 200, 50}, {600, 60, 50}}},
	} {
		got := apart(tc.labels, plotTop, bottom)
		for i := range got {
			if got[i].x != tc.labels[i].x || got[i].y < plotTop || got[i].y > bottom {
				t.Errorf("%s: %d is at %v", tc.name, i, got[i])
			}
			for j := range i {
				if d := got[i].y - got[j].y; d > -lineHeight+0.01 && d < lineHeight-0.01 {
					t.Errorf("%s: %d and %d are %.1f apart", tc.name, i, j, d)
				}
				if was := tc.labels; was[i].y != was[j].y && (was[i].y < was[j].y) != (got[i].y < got[j].y) {
					t.Errorf("%s: %d and %d changed places", tc.name, i, j)
				}
			}
		}
	}
	besides := []label{{100, 100, 50}, {300, 100, 50}}
	if got := apart(besides, plotTop, bottom); got[0] != besides[0] || got[1] != besides[1] {
		t.Errorf("names beside each other are moved: %v", got)
	}
}

func TestMarksReachOverTheValuesAndAreRound(t *testing.T) {
	text := func(v float64) string { return fmt.Sprintf("%g", v) }
	show := func(ticks []Tick) string {
		var all []string
		for _, t := range ticks {
			all = append(all, t.Text)
		}
		return strings.Join(all, " ")
	}
	for _, tc := range []struct {
		name, got, want string
	}{
		{"steps to 46.5", show(Steps(46.5, text)), "0 20 40 60"},
		{"steps to 100", show(Steps(100, text)), "0 50 100"},
		{"steps to nothing", show(Steps(0, text))[:2], "0 "},
		{"two decades", show(Decades(0.3, 4, text)), "0.1 0.2 0.5 1 2 5 10"},
		{"many decades", show(Decades(0.01, 5000, text)), "0.01 0.1 1 10 100 1000 10000"},
		{"one value", show(Decades(1, 1, text)), "1 2 5 10"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %s; want %s", tc.name, tc.got, tc.want)
		}
	}
}

func TestValuesBeyondAnAxisLieAtItsEnds(t *testing.T) {
	a := Axis{Log: true, Ticks: []Tick{{1, ""}, {100, ""}}}
	for v, want := range map[float64]float64{0: 0, 0.5: 0, 1: 0, 10: 0.5, 100: 1, 1000: 1} {
		if got := a.at(v); got != want {
			t.Errorf("%g is at %g; want %g", v, got, want)
		}
	}
}
