package officeload

import (
	"math"
	"math/rand/v2"
	"sort"
	"strings"
)

// names invents domains, each once.
type names struct {
	r    *rand.Rand
	used map[string]bool
}

func newNames(r *rand.Rand) *names { return &names{r, map[string]bool{}} }

var (
	onsets = strings.Fields("b c d f g l m n p r s t v z br cr fr gr pr tr st sp ch gl")
	vowels = strings.Fields("a e i o u a e i o ia io")
	tops   = strings.Fields("it it it it it it com com com eu org gov.it") // most of what an Italian office asks is Italian; assumed
)

// domain is a registrable name of three to five syllables: with its host about 18 octets long.
func (n *names) domain() string {
	for {
		var b strings.Builder
		for range 3 + n.r.IntN(3) {
			b.WriteString(onsets[n.r.IntN(len(onsets))])
			b.WriteString(vowels[n.r.IntN(len(vowels))])
		}
		name := join(b.String(), tops[n.r.IntN(len(tops))])
		if !n.used[name] {
			n.used[name] = true
			return name
		}
	}
}

// join puts a label before a name; no label leaves the name.
func join(label, name string) string {
	if label == "" {
		return name
	}
	return label + "." + name
}

// law draws ranks by Zipf's law: rank i with a weight of 1/(i+1)^zipf. The one of the standard library needs an exponent above 1.
type law struct{ sums []float64 }

func newLaw(n int) *law {
	l := &law{make([]float64, n)}
	sum := 0.0
	for i := range l.sums {
		sum += math.Pow(float64(i+1), -zipf)
		l.sums[i] = sum
	}
	return l
}

func (l *law) draw(r *rand.Rand) int {
	return min(sort.SearchFloat64s(l.sums, r.Float64()*l.sums[len(l.sums)-1]), len(l.sums)-1)
}
