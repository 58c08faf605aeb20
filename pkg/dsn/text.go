package dsn

import (
	"strings"
	"unicode/utf8"

	"github.com/sendctl/sendctl/pkg/mail"
)

const (
	// width is where the plain words wrap: what every mail reader shows without wrapping again.
	width = 72
	// maxLine is how long a line may be, in octets without its end (RFC 5322 §2.1.1).
	maxLine = 998
	// maxToken is how long a word may be that has a line for itself.
	maxToken = maxLine - 2
	// maxField bounds what is quoted of one field of the original, in octets.
	maxField = 2000
	// maxQuote bounds what is quoted of a stranger, in characters.
	maxQuote = 512
)

// wrap folds a text at spaces: the first line is indented by first, the others by rest. What
// is longer than a line and has no space stays whole.
func wrap(text, first, rest string) string {
	var b strings.Builder
	used := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
			b.WriteString(first + word)
			used = len(first) + n
		case used+1+n > width:
			b.WriteString("\n" + rest + word)
			used = len(rest) + n
		default:
			b.WriteString(" " + word)
			used += 1 + n
		}
	}
	return b.String() + "\n"
}

// folded is a header field whose lines are at most 78 octets long where its words allow that
// (RFC 5322 §2.2.3).
func folded(name, value string) string {
	const most = 78
	var b strings.Builder
	b.WriteString(name + ":")
	used := len(name) + 1
	for i, word := range strings.Fields(value) {
		next := used + 1 + len(word)
		if next > maxLine || next > most && i > 0 {
			b.WriteString("\n")
			used = 0
		}
		b.WriteString(" " + word)
		used += 1 + len(word)
	}
	return b.String() + "\n"
}

// shortened cleans and bounds what is quoted of a stranger.
func shortened(s string) string {
	r := []rune(strings.TrimSpace(mail.Clean(s)))
	if len(r) > maxQuote {
		return string(r[:maxQuote]) + "…"
	}
	return string(r)
}

// clean makes a header field's value fit to be quoted: its words cleaned one by one, with
// single spaces between them, as many as there is room for.
func clean(s string) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(s) {
		word = mail.Clean(word[:min(len(word), maxToken)])
		if b.Len()+1+len(word) > maxField {
			break
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(word)
	}
	return b.String()
}

// sentence ends with a full stop. It keeps its first letter, for that may begin the name of a host.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "…") {
		return s
	}
	return s + "."
}

// ascii replaces what a message/delivery-status cannot carry (RFC 3464 §2.1.3: 7-bit).
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0x7f || r < ' ':
			return '?'
		default:
			return r
		}
	}, strings.ReplaceAll(s, "…", "..."))
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
