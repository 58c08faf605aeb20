package mail

import (
	"fmt"
	"strings"
)

// ReplyLine is one line of an SMTP reply (RFC 5321 §4.2).
type ReplyLine struct {
	Code   int    // 200 to 599
	More   bool   // a hyphen behind the code: the reply goes on
	Status Status // enhanced status code where the line has one of the reply's class (RFC 2034 §4)
	Text   string // what remains: the remote's words, hostile until Clean
}

// ParseReplyLine reads one line of a reply, given without its line end: three digits of
// which the first is 2 to 5, then a space, a hyphen or nothing, then text, which may be
// empty. The second digit should be 0 to 5, but any is taken (RFC 5321 §4.2 leaves room).
// An error means that the peer does not speak SMTP.
func ParseReplyLine(line string) (ReplyLine, error) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !isDigit(line[1]) || !isDigit(line[2]) {
		return ReplyLine{}, fmt.Errorf("no SMTP reply: %s does not begin with a reply code", excerpt(line))
	}
	if strings.IndexByte(line, '\n') >= 0 {
		return ReplyLine{}, fmt.Errorf("no SMTP reply: %s has a line end within", excerpt(line))
	}
	r := ReplyLine{Code: int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')}
	if len(line) == 3 {
		return r, nil // RFC 5321 §4.2: clients SHOULD be prepared for the code alone
	}
	switch line[3] {
	case ' ':
	case '-':
		r.More = true
	default:
		return ReplyLine{}, fmt.Errorf("no SMTP reply: %s has neither space nor hyphen behind its code", excerpt(line))
	}
	r.Text = line[4:]
	word, rest, _ := strings.Cut(r.Text, " ")
	if s, ok := ParseStatus(word); ok && s.Class == r.Code/100 {
		r.Status, r.Text = s, rest
	}
	return r, nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
