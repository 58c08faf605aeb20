package delivery

import (
	"strings"

	"github.com/sendctl/sendctl/pkg/mail"
)

// maxWording bounds how much of a reply is read for its meaning: several times the longest
// known reply of a large provider, and far below what a hostile server may send.
const maxWording = 4 << 10

// plain brings a reply's lines into the form that rules are written in: lower case, every run
// of blanks and punctuation one space, and without mail addresses, for these are our own
// words coming back and spam-reports@virus.example says nothing about why.
func plain(lines []string) string {
	out := make([]byte, 0, 512)
	for _, line := range lines {
		word := len(out) // where the run of characters that an address may have began
		for i := 0; i < len(line) && len(out) < maxWording; i++ {
			c := line[i]
			switch {
			case 'A' <= c && c <= 'Z':
				out = append(out, c+'a'-'A')
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c >= 0x80:
				out = append(out, c)
			case c == '@':
				out = out[:word]
				i = skipDomain(line, i+1) - 1
			default:
				out = space(out)
				if !inLocalPart(c) {
					word = len(out)
				}
			}
		}
		out = space(out)
	}
	return string(out)
}

func space(out []byte) []byte {
	if n := len(out); n == 0 || out[n-1] == ' ' {
		return out
	}
	return append(out, ' ')
}

// skipDomain gives the place where a domain that begins at i ends.
func skipDomain(line string, i int) int {
	for i < len(line) && (isAlphanumeric(line[i]) || line[i] == '-' || line[i] == '.' || line[i] >= 0x80) {
		i++
	}
	return i
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// inLocalPart reports whether punctuation may stand in an unquoted local part (RFC 5321 §4.1.2, atext and dot).
func inLocalPart(c byte) bool { return strings.IndexByte(".!#$%&'*+-/=?^_`{|}~", c) >= 0 }

// hasWords reports whether phrase occurs in a plain text from the beginning of a word on:
// "spam" is found in "spamhaus", "rate limit" in "rate limited", but "spf" not in "yxspf".
func hasWords(text, phrase string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], phrase)
		if i < 0 {
			return false
		}
		if i += from; i == 0 || text[i-1] == ' ' {
			return true
		}
		from = i + 1
	}
}

// statusOf is the enhanced status of a refusal, zero where there is none. Servers older than
// RFC 2034 and those modelled on them (qmail, IronPort) write it into the text behind a #.
func statusOf(reply mail.Reply) mail.Status {
	if s := reply.Status; s.Class == 4 || s.Class == 5 {
		return s
	}
	for _, line := range reply.Lines {
		_, rest, found := strings.Cut(line, "#")
		if !found {
			continue
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if end < 0 {
			end = len(rest)
		}
		if s, ok := mail.ParseStatus(strings.TrimRight(rest[:end], ".")); ok && s.Class != 2 {
			return s
		}
	}
	return mail.Status{}
}
