package report

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Axis is a scale with its marks; it reaches from the first to the last of them.
type Axis struct {
	Label string // what it is, with its unit
	Log   bool   // values above 0 only
	Ticks []Tick // in ascending order
}

// Tick is a mark with its text.
type Tick struct {
	At   float64
	Text string
}

// at is where a value lies on the axis, 0 to 1; what is beyond an end lies at it.
func (a Axis) at(v float64) float64 {
	from, to := a.Ticks[0].At, a.Ticks[len(a.Ticks)-1].At
	if a.Log {
		from, to, v = math.Log10(from), math.Log10(to), math.Log10(max(v, from))
	}
	if to == from {
		return 0
	}
	return min(max((v-from)/(to-from), 0), 1)
}

// Decades are marks from the power of ten at or below least, which is above 0, to the one at or above most: at 1, 2 and 5 times each
// power when there are few of these, else at the powers alone.
func Decades(least, most float64, text func(float64) string) (ticks []Tick) {
	from := int(math.Floor(math.Log10(least)))
	to := max(int(math.Ceil(math.Log10(most))), from+1)
	for e := from; e < to; e++ {
		for _, m := range []float64{1, 2, 5} {
			if m == 1 || to-from <= 2 {
				ticks = append(ticks, Tick{m * math.Pow(10, float64(e)), text(m * math.Pow(10, float64(e)))})
			}
		}
	}
	return append(ticks, Tick{math.Pow(10, float64(to)), text(math.Pow(10, float64(to)))})
}

// Steps are marks from 0 to the first round number at or above most.
func Steps(most float64, text func(float64) string) (ticks []Tick) {
	step := roundStep(max(most, 1e-9) / 4)
	for i := 0; ; i++ {
		v := float64(i) * step
		ticks = append(ticks, Tick{v, text(v)})
		if v >= most && i > 0 {
			return ticks
		}
	}
}

// roundStep is the least of 1, 2 and 5 times a power of ten that is at least v.
func roundStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v {
			return m * power
		}
	}
	return 10 * power
}

// canvas is a drawing in the making; sizes are in its own units, which are pixels where there is room.
type canvas struct {
	strings.Builder
	width, height float64
}

func (c *canvas) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(c, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, x1, y1, x2, y2)
}

// text writes at a point; anchor is start, middle or end.
func (c *canvas) text(class, anchor string, x, y float64, text string) {
	fmt.Fprintf(c, `<text class="%s" text-anchor="%s" x="%.1f" y="%.1f">%s</text>`, class, anchor, x, y, html.EscapeString(text))
}

// whole is the drawing, with what it shows for those who do not see it.
func (c *canvas) whole(shows string) string {
	return fmt.Sprintf(`<svg viewBox="0 0 %.0f %.0f" role="img" aria-label="%s">%s</svg>`, c.width, c.height, html.EscapeString(shows), c.String())
}

// textWidth is about how wide a text is.
func textWidth(s string) float64 { return 7 * float64(len([]rune(s))) }
