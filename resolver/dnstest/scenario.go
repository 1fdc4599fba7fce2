package dnstest

import (
	"errors"
	"fmt"
	"strings"
)

// Scenario is a text that tells what happens and what is to be seen of it, step by step. What the steps may say is the
// business of who plays them; this is only their form:
//
//	# The first line is the title, a sentence.
//	statement with words and "words in quotes"     # a remark
//	    a line of the statement's block
//	    → what is expected; several things on one line are parted by semicolons
//
// What is indented belongs to the statement above it. Blank lines and remarks are passed over. -> stands for → as well.
type Scenario struct {
	Title string
	Steps []Step
}

// Step is one statement. It has at least one word.
type Step struct {
	Line             // the statement itself
	Words   []string // of the statement, quotes removed
	Block   []Line   // indented below it
	Expects []Line   // the parts of its lines that begin with an arrow
}

// Line is a line of a scenario, or a part of one, without remarks and blanks around it.
type Line struct {
	Number int // from 1
	Text   string
}

// ParseScenario reads a scenario. Every error begins with the number of the line, from 1, and a colon.
func ParseScenario(text string) (*Scenario, error) {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	title, ok := strings.CutPrefix(lines[0], "# ")
	if title = strings.TrimSpace(title); !ok || title == "" {
		return nil, errors.New("1: a scenario begins with its title: # A sentence")
	}
	s := &Scenario{Title: title}
	for i, raw := range lines {
		parts, err := split(raw, '#')
		if err != nil {
			return nil, fmt.Errorf("%d: %w", i+1, err)
		}
		line := Line{i + 1, strings.TrimSpace(parts[0])}
		if line.Text == "" {
			continue
		}
		if err := s.add(line, raw[0] == ' ' || raw[0] == '\t'); err != nil {
			return nil, fmt.Errorf("%d: %w", i+1, err)
		}
	}
	if len(s.Steps) == 0 {
		return nil, fmt.Errorf("%d: nothing happens in this scenario", len(lines))
	}
	return s, nil
}

// add appends one line that says something.
func (s *Scenario) add(line Line, indented bool) error {
	expected, isExpected := cutArrow(line.Text)
	if !indented {
		if isExpected {
			return errors.New("what is expected is indented below its statement")
		}
		words, err := Words(line.Text)
		s.Steps = append(s.Steps, Step{Line: line, Words: words})
		return err
	}
	if len(s.Steps) == 0 {
		return errors.New("an indented line belongs to a statement above it, and there is none")
	}
	step := &s.Steps[len(s.Steps)-1]
	if !isExpected {
		step.Block = append(step.Block, line)
		return nil
	}
	parts, err := split(expected, ';')
	for _, part := range parts {
		if part = strings.TrimSpace(part); part == "" {
			return errors.New("an expectation that says nothing")
		}
		step.Expects = append(step.Expects, Line{line.Number, part})
	}
	return err
}

func cutArrow(text string) (string, bool) {
	if rest, ok := strings.CutPrefix(text, "→"); ok {
		return rest, true
	}
	return strings.CutPrefix(text, "->")
}

// Words are the words of a line; a word in double quotes may have blanks, or be empty. A backslash takes the meaning from a
// quote, and is kept, as in names and records.
func Words(text string) ([]string, error) {
	var words []string
	for len(text) > 0 {
		if text = strings.TrimLeft(text, " \t"); text == "" {
			break
		}
		end, err := wordEnd(text)
		if err != nil {
			return nil, err
		}
		word := text[:end]
		if len(word) > 1 && word[0] == '"' && word[len(word)-1] == '"' {
			word = word[1 : len(word)-1]
		}
		words, text = append(words, word), text[end:]
	}
	return words, nil
}

func wordEnd(text string) (int, error) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ' ' || c == '\t'):
			return i, nil
		}
	}
	if quoted {
		return 0, errors.New("a quote is not closed")
	}
	return len(text), nil
}

// split cuts a line at a mark outside quotes. A # is one only at the start or behind a blank.
func split(line string, mark byte) (parts []string, err error) {
	quoted, start := false, 0
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted || c != mark:
		case c == '#' && i > 0 && line[i-1] != ' ' && line[i-1] != '\t':
		default:
			parts, start = append(parts, line[start:i]), i+1
			if c == '#' {
				return parts, nil // quotes in a remark are only quotes
			}
		}
	}
	if quoted {
		err = errors.New("a quote is not closed")
	}
	return append(parts, line[start:]), err
}
