package report

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// Lines are curves over a common axis, or, stacked, areas one on top of the other.
type Lines struct {
	Shows   string // in words
	X, Y    Axis
	Series  []Series
	Stacked bool
}

// Series is one curve.
type Series struct {
	Name   string
	Points []Point // in ascending order of X; of stacked series the same X for all
}

// Point is a point of a curve.
type Point struct{ X, Y float64 }

// The room around a plot.
const (
	plotTop    = 34
	plotBottom = 48
	plotLeft   = 66
	lineHeight = 16
)

// dashes tell curves apart without colour.
var dashes = []string{"", "7 4", "2 4", "9 3 2 3", "1 3", "12 4"}

func (l Lines) draw() template.HTML {
	right := 20.0
	for _, s := range l.Series {
		right = max(right, 24+textWidth(s.Name))
	}
	c := &canvas{width: 800, height: 380}
	x := func(v float64) float64 { return plotLeft + l.X.at(v)*(c.width-plotLeft-right) }
	y := func(v float64) float64 { return c.height - plotBottom - l.Y.at(v)*(c.height-plotTop-plotBottom) }
	l.frame(c, x, y, c.width-right)

	names := make([]label, len(l.Series)) // where each curve's name stands
	var below []Point
	for i, s := range l.Series {
		points := s.Points
		if l.Stacked {
			points = slices.Clone(s.Points)
			for j := range points {
				if below != nil {
					points[j].Y += below[j].Y
				}
			}
			l.area(c, i, x, y, points, below)
			names[i] = label{c.width - right, (y(points[len(points)-1].Y) + y(bottomOf(below))) / 2, textWidth(s.Name)}
			below = points
			continue
		}
		fmt.Fprintf(c, `<path fill="none" stroke="var(--s%d)" stroke-width="2" stroke-dasharray="%s" d="%s"/>`, i, dashes[i], path(x, y, points))
		end := points[len(points)-1]
		names[i] = label{x(end.X), y(end.Y), textWidth(s.Name)}
	}
	for i, at := range apart(names, plotTop, c.height-plotBottom) {
		fmt.Fprintf(c, `<text class="name" style="fill:var(--s%d)" x="%.1f" y="%.1f">%s</text>`,
			i, at.x+8, at.y+4, template.HTMLEscapeString(l.Series[i].Name))
	}
	return template.HTML(c.whole(l.Shows)) //nolint:gosec // all text in it is escaped
}

// frame draws the axes with their marks.
func (l Lines) frame(c *canvas, x, y func(float64) float64, right float64) {
	for _, t := range l.Y.Ticks {
		c.line("grid", plotLeft, y(t.At), right, y(t.At))
		c.text("soft", "end", plotLeft-8, y(t.At)+4, t.Text)
	}
	bottom := c.height - plotBottom
	for _, t := range l.X.Ticks {
		c.line("axis", x(t.At), bottom, x(t.At), bottom+5)
		c.text("soft", "middle", x(t.At), bottom+20, t.Text)
	}
	c.line("axis", plotLeft, bottom, right, bottom)
	c.text("soft", "start", 0, 14, l.Y.Label)
	c.text("soft", "end", right, c.height-6, l.X.Label)
}

func (l Lines) area(c *canvas, i int, x, y func(float64) float64, points, below []Point) {
	if below == nil {
		below = []Point{{points[0].X, 0}, {points[len(points)-1].X, 0}}
	}
	back := slices.Clone(below)
	slices.Reverse(back)
	fmt.Fprintf(c, `<path fill="var(--s%d)" fill-opacity="0.75" stroke="var(--paper)" stroke-width="1" d="%s L%sZ"/>`,
		i, path(x, y, points), strings.TrimPrefix(path(x, y, back), "M"))
}

func bottomOf(below []Point) float64 {
	if below == nil {
		return 0
	}
	return below[len(below)-1].Y
}

func path(x, y func(float64) float64, points []Point) string {
	var b strings.Builder
	for i, p := range points {
		if i == 0 {
			b.WriteByte('M')
		} else {
			b.WriteByte('L')
		}
		fmt.Fprintf(&b, "%.1f %.1f", x(p.X), y(p.Y))
	}
	return b.String()
}

// label is a text in the drawing that may be moved up and down.
type label struct{ x, y, width float64 }

// beside says whether two labels can have the same height.
func (l label) beside(other label) bool { return l.x+l.width < other.x || other.x+other.width < l.x }

// apart moves labels up and down until they can be read; those that would cover each other keep their order.
func apart(labels []label, top, bottom float64) []label {
	out := slices.Clone(labels)
	order := make([]int, len(out))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(out[a].y, out[b].y) })
	for n, i := range order { // downwards, so that none is on one before
		out[i].y = max(out[i].y, top)
		for _, j := range order[:n] {
			if !out[i].beside(out[j]) {
				out[i].y = max(out[i].y, out[j].y+lineHeight)
			}
		}
	}
	for n, i := range slices.Backward(order) { // and back up, so that the last is still in the picture
		out[i].y = min(out[i].y, bottom)
		for _, j := range order[n+1:] {
			if !out[i].beside(out[j]) {
				out[i].y = min(out[i].y, out[j].y-lineHeight)
			}
		}
	}
	return out
}

// Bars are values beside each other, each a horizontal bar.
type Bars struct {
	Shows string // in words
	Axis  Axis
	Bars  []Bar
}

// Bar is one value. From and To draw its spread, where they differ.
type Bar struct {
	Name     string
	Value    float64
	Text     string // the value with its unit
	From, To float64
	Colour   int // of the series that it belongs to
}

func (b Bars) draw() template.HTML {
	const barHeight, gap = 20.0, 10.0
	left, right := 20.0, 20.0
	for _, bar := range b.Bars {
		left = max(left, 12+textWidth(bar.Name))
		right = max(right, 16+textWidth(bar.Text))
	}
	c := &canvas{width: 800, height: float64(len(b.Bars))*(barHeight+gap) + gap + plotBottom}
	x := func(v float64) float64 { return left + b.Axis.at(v)*(c.width-left-right) }
	bottom := c.height - plotBottom
	for _, t := range b.Axis.Ticks {
		c.line("grid", x(t.At), 0, x(t.At), bottom)
		c.text("soft", "middle", x(t.At), bottom+18, t.Text)
	}
	c.text("soft", "end", c.width-right, c.height-6, b.Axis.Label)
	for i, bar := range b.Bars {
		y := gap + float64(i)*(barHeight+gap)
		middle := y + barHeight/2
		c.text("", "end", left-8, middle+4, bar.Name)
		fmt.Fprintf(c, `<rect fill="var(--s%d)" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, bar.Colour, left, y, x(bar.Value)-left, barHeight)
		if bar.To > bar.From {
			c.line("spread", x(bar.From), middle, x(bar.To), middle)
			c.line("spread", x(bar.From), middle-5, x(bar.From), middle+5)
			c.line("spread", x(bar.To), middle-5, x(bar.To), middle+5)
		}
		c.text("", "start", x(max(bar.Value, bar.To))+8, middle+4, bar.Text)
	}
	c.line("axis", left, 0, left, bottom)
	return template.HTML(c.whole(b.Shows)) //nolint:gosec // all text in it is escaped
}
