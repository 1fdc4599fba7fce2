package blocklist

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// oracle judges slowly and obviously: a map of names as text, "name" for itself and "*.name" for all below, true for an exception.
type oracle map[string]bool

// judge takes the name itself, then the closest "*." above.
func (o oracle) judge(name string) string {
	exempt, known := o[name]
	below, all := o.below(name)
	if !known {
		above := ""
		if _, above, known = strings.Cut(name, "."); known {
			exempt, known = o.below(above)
		}
	}
	switch {
	case !known:
		return ""
	case exempt:
		return "exempt"
	case !all || below:
		return "blocked"
	}
	for rule, exempt := range o {
		if exempt && strings.HasSuffix(rule, "."+name) && rule != "*."+name {
			return "blocked"
		}
	}
	return "whole"
}

// below is what holds for the names below one.
func (o oracle) below(name string) (exempt, known bool) {
	for {
		if exempt, known = o["*."+name]; known {
			return exempt, known
		}
		_, rest, ok := strings.Cut(name, ".")
		if !ok {
			return false, false
		}
		name = rest
	}
}

// add takes a line of a domain list that this test writes.
func (o oracle) add(line string) {
	put := func(name string, exempt bool) { o[name] = exempt || o[name] }
	rest, exempt := strings.CutPrefix(line, "@@")
	switch {
	case strings.HasPrefix(rest, "||"):
		name := strings.Trim(rest, "|^")
		put(name, exempt)
		put("*."+name, exempt)
	case strings.HasPrefix(rest, "."):
		put(rest[1:], false)
		put("*"+rest, false)
	default:
		put(rest, false)
	}
}

func TestTheTableJudgesAsTheOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 2002))
	labels := []string{"a", "b", "cc", "d"}
	name := func() string {
		parts := make([]string, 1+r.IntN(5))
		for i := range parts {
			parts[i] = labels[r.IntN(len(labels))]
		}
		return strings.Join(parts, ".")
	}
	verdicts := map[string]int{}
	for range 300 {
		want, text := oracle{}, new(strings.Builder)
		for range 1 + r.IntN(40) {
			line := []string{"%s", "*.%s", ".%s", "||%s^", "@@||%s^"}[r.IntN(5)]
			line = fmt.Sprintf(line, name())
			want.add(line)
			fmt.Fprintln(text, line)
		}
		l := parse(t, text.String(), Domains)
		for range 300 {
			asked := name()
			got := said(t, l, asked)
			if want := want.judge(asked); got != want {
				t.Fatalf("%s: %q, want %q, by\n%s", asked, got, want, text)
			}
			verdicts[got]++
		}
	}
	if len(verdicts) != 4 {
		t.Errorf("the questions met only %v", verdicts)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"0.0.0.0 a.example b.example\n::1 localhost\n", "a.example\n*.b\n.c\n||d^\n@@||e^\n", "||a^$third-party\n##.ad\n",
		"$TTL 60\n@ SOA a b 1 2 3 4 5\nx CNAME .\n*.x CNAME *.\ny CNAME rpz-passthru.\n8.0.0.0.10.rpz-ip CNAME .\n", "$GENERATE 1-50 a$ CNAME .\n",
		"$ORIGIN z.\n@ 1 SOA . . 1 2 3 4 5\n\\000.\\. 1 CNAME .\n", "\uFEFF#\r\n\r\n",
	} {
		for format := range formats {
			f.Add([]byte(text), uint8(format))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, format uint8) {
		const room = 200
		l, err := Parse(bytes.NewReader(text), "f", Format(format%uint8(len(formats))), room)
		if err != nil {
			return
		}
		if l.Format == Auto || l.Names+l.Exceptions == 0 || len(l.table.keys) > room || l.Names+l.Exceptions > len(l.table.keys) {
			t.Fatalf("%+v", l)
		}
		for _, name := range [][]byte{{0}, []byte("\x01a\x00"), []byte("\x01b\x01a\x00"), bytes.Repeat([]byte("\x00"), 5)} {
			l.table.judge(name)
		}
	})
}
