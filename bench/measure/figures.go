package measure

import (
	"fmt"
	"slices"
)

// Figures are the values of one thing over the rounds of a run.
type Figures []float64

// Median is the one in the middle, or the mean of the two; 0 of none.
func (f Figures) Median() float64 {
	if len(f) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(f))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// Quantile is the least value that the share q of all do not exceed; 0 of none.
func (f Figures) Quantile(q float64) float64 {
	if len(f) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(f))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// Over are the ratios to the figures of another, round by round: what both had to bear in a round falls out.
func (f Figures) Over(other Figures) Figures {
	var ratios Figures
	for i := range min(len(f), len(other)) {
		ratios = append(ratios, f[i]/other[i])
	}
	return ratios
}

// Show is the median with decimals, and the least and the greatest of several.
func (f Figures) Show(decimals int) string {
	switch len(f) {
	case 0:
		return "–"
	case 1:
		return fmt.Sprintf("%.*f", decimals, f[0])
	}
	return fmt.Sprintf("%.*f (%.*f–%.*f)", decimals, f.Median(), decimals, slices.Min(f), decimals, slices.Max(f))
}
