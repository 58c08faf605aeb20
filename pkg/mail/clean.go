package mail

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxCleanRunes bounds what Clean keeps of one remote text.
const MaxCleanRunes = 1024

// Clean makes text from a stranger (an SMTP reply, a DNS name, a file name) fit for a
// terminal, a report or a delivery status notification: control, escape, format and
// bidirectional characters and invalid UTF-8 become U+FFFD, tabs and line ends become
// spaces, and what exceeds MaxCleanRunes is cut with an ellipsis.
func Clean(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n == MaxCleanRunes {
			b.WriteRune('…')
			break
		}
		b.WriteRune(cleanRune(r))
		n++
	}
	return b.String()
}

func isPlain(s string) bool {
	if len(s) > MaxCleanRunes {
		return false
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

func cleanRune(r rune) rune {
	switch {
	case r == '\t' || r == '\n' || r == '\r':
		return ' '
	case r == utf8.RuneError, unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Zl, unicode.Zp):
		return utf8.RuneError
	case !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r):
		return utf8.RuneError
	}
	return r
}
