package ui

import (
	"strconv"
	"strings"

	"github.com/olekukonko/tablewriter/pkg/twwidth"

	"github.com/sendctl/sendctl/pkg/mail"
)

// cleanCell makes any text fit for a cell: one line without control characters and with
// single spaces only, so that two spaces always stand between columns.
func cleanCell(s string) string {
	s = mail.Clean(s)
	if strings.Contains(s, "  ") || strings.HasPrefix(s, " ") || strings.HasSuffix(s, " ") || !isASCII(s) {
		return strings.Join(strings.Fields(s), " ")
	}
	return s
}

// fileName is a file's name as a table shows it: quoted where it holds a space or anything
// that would not print as itself.
func fileName(name string) string {
	quoted := strconv.Quote(name)
	if quoted[1:len(quoted)-1] != name || strings.ContainsRune(name, ' ') {
		return quoted
	}
	return name
}

func isASCII[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// textWidth is the columns that clean text takes on a terminal, as tablewriter measures them
// in a locale that is not East Asian; the two must agree, or lines come out too wide.
func textWidth(s string) int {
	if isASCII(s) {
		return len(s)
	}
	return twwidth.WidthWithOptions(s, twwidth.Options{})
}

// wrap breaks text into lines of at most width columns: at spaces where it can, else inside
// a word after a punctuation mark or before an @, else anywhere. Never empty; width is at least 1.
func wrap(text string, width int) []string {
	if textWidth(text) <= width {
		return []string{text}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if longer := line + " " + word; line != "" && textWidth(longer) <= width {
			line = longer
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		pieces := split(word, width)
		lines = append(lines, pieces[:len(pieces)-1]...)
		line = pieces[len(pieces)-1]
	}
	if line != "" || len(lines) == 0 {
		lines = append(lines, line)
	}
	return lines
}

// split breaks one word into pieces of at most width columns; never none.
func split(word string, width int) []string {
	if textWidth(word) <= width {
		return []string{word}
	}
	var pieces []string
	piece := ""
	for _, part := range breakable(word, width) {
		if longer := piece + part; piece == "" || textWidth(longer) <= width {
			piece = longer
			continue
		}
		pieces = append(pieces, piece)
		piece = part
	}
	return append(pieces, piece)
}

// breakable cuts a word where it may be broken; a part wider than width is cut into its runes.
func breakable(word string, width int) []string {
	var parts []string
	start := 0
	cut := func(end int) {
		if end == start {
			return
		}
		part := word[start:end]
		start = end
		if textWidth(part) <= width {
			parts = append(parts, part)
			return
		}
		for _, r := range part {
			parts = append(parts, string(r))
		}
	}
	for i, r := range word {
		switch r {
		case '@':
			cut(i)
		case '.', '-', '_', '/', ',', ';', ':', '=':
			cut(i + 1)
		}
	}
	cut(len(word))
	return parts
}

// phrase is a piece of a sentence that is not broken, with the space behind it: plain and as
// it is to be shown.
type phrase struct{ plain, painted string }

// flow joins phrases into lines of at most limit columns, 0 for no limit; a phrase wider than
// that has a line of its own. Lines after the first are indented.
func flow(phrases []phrase, limit int) string {
	var b strings.Builder
	used := 0
	for i, p := range phrases {
		if limit > 0 && i > 0 && used+textWidth(strings.TrimRight(p.plain, " ")) > limit {
			b.WriteString("\n" + indent)
			used = len(indent)
		}
		b.WriteString(p.painted)
		used += textWidth(p.plain)
	}
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
