package policy

import (
	"slices"
	"testing"
)

func TestTypesAreNamedAsInTheRegistry(t *testing.T) {
	for text, want := range map[string]Type{"A": 1, "aaaa": 28, " mx ": 15, "HTTPS": 65, "TYPE65": 65, "type1234": 1234, "TYPE65535": 65535} {
		if got, err := ParseType(text); err != nil || got != want {
			t.Errorf("ParseType(%q) = %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "AA", "TYPE", "TYPE0", "TYPE65536", "TYPE-1", "TYPE+1", "1"} {
		if got, err := ParseType(text); !IsCode(err, Invalid) {
			t.Errorf("ParseType(%q) = %v, %v; want a refusal", text, got, err)
		}
	}
	if Type(65).String() != "HTTPS" || Type(1234).String() != "TYPE1234" {
		t.Error("a type is written wrongly")
	}
	if got := sortTypes([]Type{28, 1, 28, 1}); !slices.Equal(got, []Type{1, 28}) {
		t.Errorf("sorted: %v", got)
	}
}
