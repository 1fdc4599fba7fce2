package townfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxEntries is how many entries of a section a piece has.
const maxEntries = 500

// piece is some lines of the file that can be read by themselves: whole sections, or the head of one and some of its
// entries.
type piece struct {
	text  string
	first int // number of its first line in the file
	head  int // number of the line of the section's head, which stands before them when it is not among them; 0: none
}

// pieces cuts a file. A section's entries begin on the lines indented as its first one is; YAML indents deeper whatever
// belongs to an entry (YAML 1.2 §8.2).
type pieces struct {
	lines  *bufio.Reader
	octets int64  // read so far
	number int    // of the line read last
	ahead  string // a line that was read but belongs to the next piece
	head   string // of the section that is being read, empty when it cannot be cut
	headAt int
	second int // number of the line where a second document begins; 0: none
}

func newPieces(r io.Reader) *pieces { return &pieces{lines: bufio.NewReaderSize(r, 64<<10)} }

func (p *pieces) line() (string, error) {
	if text := p.ahead; text != "" {
		p.ahead = ""
		return text, nil
	}
	text, err := p.lines.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the file: %w", err)
	}
	p.octets += int64(len(text))
	if text != "" {
		p.number++
	}
	return text, nil
}

// next is the next piece; false when there is none.
func (p *pieces) next() (piece, bool, error) {
	var out piece
	var text strings.Builder
	if p.ahead != "" && p.head != "" { // entries go on
		out.head = p.headAt
		text.WriteString(p.head)
	}
	entries, indent := 0, -1
	for {
		line, err := p.line()
		if err != nil {
			return out, false, err
		}
		if line == "" {
			break
		}
		if out.first == 0 {
			out.first = p.number
		}
		switch {
		case isBlank(line):
		case strings.HasPrefix(line, "---") && p.headAt > 0:
			p.second = p.number
		case isHead(line):
			if text.Len() > 0 && out.first != p.number {
				p.ahead, p.head = line, ""
				return piece{text.String(), out.first, out.head}, true, nil
			}
			p.head, p.headAt = "", p.number
			if opens(line) {
				p.head = line
			}
		case p.head != "":
			if indent < 0 {
				indent = indentOf(line)
			}
			if begins(line, indent) {
				if entries++; entries > maxEntries {
					p.ahead = line
					return piece{text.String(), out.first, out.head}, true, nil
				}
			}
		}
		text.WriteString(line)
	}
	out.text = text.String()
	return out, out.first > 0, nil
}

// isHead says whether a section begins on the line.
func isHead(line string) bool {
	return !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, "-") && !strings.ContainsAny(line[:1], "}]")
}

// opens says whether the line has a section's name alone, so that its entries stand on the lines below.
func opens(line string) bool {
	name, comment, _ := strings.Cut(line, ":")
	comment = strings.TrimSpace(comment)
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") == "" && (comment == "" || strings.HasPrefix(comment, "#"))
}

func isBlank(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || strings.HasPrefix(line, "#")
}

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// begins says whether an entry begins on the line.
func begins(line string, indent int) bool {
	return indentOf(line) == indent && !strings.ContainsAny(line[indent:indent+1], "}]")
}
