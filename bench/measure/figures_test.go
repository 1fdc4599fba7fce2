package measure

import (
	"strings"
	"testing"
)

func TestFiguresOfSeveralRounds(t *testing.T) {
	for _, tc := range []struct {
		name   string
		f      Figures
		median float64
		shown  string
	}{
		{"none", nil, 0, "–"},
		{"one", Figures{2}, 2, "2.0"},
		{"an odd number, in any order", Figures{9, 1, 2}, 2, "2.0 (1.0–9.0)"},
		{"an even number", Figures{4, 1, 2, 8}, 3, "3.0 (1.0–8.0)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.f.Median(); got != tc.median {
				t.Errorf("median %v; want %v", got, tc.median)
			}
			if got := tc.f.Show(1); got != tc.shown {
				t.Errorf("shown as %q; want %q", got, tc.shown)
			}
		})
	}
}

func TestAQuantileIsOneOfTheFigures(t *testing.T) {
	var hundred Figures
	for i := range 100 {
		hundred = append(hundred, float64(100-i))
	}
	for q, want := range map[float64]float64{0: 1, 0.5: 51, 0.99: 100, 1: 100} {
		if got := hundred.Quantile(q); got != want {
			t.Errorf("quantile %v is %v; want %v", q, got, want)
		}
	}
}

func TestRatiosAreThoseOfTheSameRound(t *testing.T) {
	// The machine was twice as slow in the second round: the ratio is not.
	if got := (Figures{3, 6}).Over(Figures{2, 4}).Show(2); got != "1.50 (1.50–1.50)" {
		t.Errorf("got %s", got)
	}
}

func TestATableLinesUpWhateverTheAlphabet(t *testing.T) {
	var text strings.Builder
	if err := WriteTable(&text, [][]string{{"µs", "b"}, {"1", "éé"}, {"2"}}); err != nil {
		t.Fatal(err)
	}
	const want = "| µs | b  |\n|----|----|\n| 1  | éé |\n| 2  |    |\n"
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}
}
