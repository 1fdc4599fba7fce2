package main

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The dashboard asks for figures that there are, by labels that they have.
func TestTheDashboardShowsFiguresThatThereAre(t *testing.T) {
	text, err := os.ReadFile("packaging/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	labels := map[string][]string{}
	for _, m := range metrics {
		labels["usciere_"+m.name] = append(slices.Clone(m.labels), "instance")
		if m.name == waitMetric { // a histogram
			labels["usciere_"+m.name+"_bucket"] = append(labels["usciere_"+m.name], "le")
		}
	}
	names, by := regexp.MustCompile(`usciere_\w+`), regexp.MustCompile(`by \((\w+)\)|\{\{(\w+)\}\}|(\w+)=~?"`)
	ids := map[int]bool{}
	for _, p := range dashboard.Panels {
		if ids[p.ID] || len(p.Targets) == 0 {
			t.Errorf("%s: its id %d is another's, or it shows nothing", p.Title, p.ID)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			found := names.FindAllString(target.Expr, -1)
			if len(found) == 0 && !strings.HasPrefix(target.Expr, "process_") {
				t.Errorf("%s: %s has no figure of ours", p.Title, target.Expr)
			}
			for _, name := range found {
				has, ok := labels[name]
				if !ok {
					t.Errorf("%s: there is no %s", p.Title, name)
				}
				for _, m := range by.FindAllStringSubmatch(target.Expr+target.LegendFormat, -1) {
					if l := m[1] + m[2] + m[3]; !slices.Contains(has, l) {
						t.Errorf("%s: %s has no label %s", p.Title, name, l)
					}
				}
			}
		}
	}
	if len(dashboard.Panels) < 10 {
		t.Errorf("%d panels", len(dashboard.Panels))
	}
}
