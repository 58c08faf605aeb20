package mail

import (
	"fmt"
	"strconv"
	"strings"
)

// Status is an enhanced mail system status code (RFC 3463 §2): class 2, 4 or 5,
// then subject and detail of up to three digits. The zero value means that none was given.
type Status struct {
	Class, Subject, Detail int
}

// ParseStatus reads "5.7.10" and reports false for anything that is not a
// status code by the grammar of RFC 3463 §2.
func ParseStatus(s string) (Status, bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return Status{}, false
	}
	var n [3]int
	for i, p := range parts {
		if len(p) == 0 || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return Status{}, false
		}
		n[i], _ = strconv.Atoi(p)
	}
	if n[0] != 2 && n[0] != 4 && n[0] != 5 {
		return Status{}, false
	}
	return Status{n[0], n[1], n[2]}, true
}

// IsZero reports whether no status was given.
func (s Status) IsZero() bool { return s == Status{} }

// String is "5.7.10", or "" for the zero value.
func (s Status) String() string {
	if s.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", s.Class, s.Subject, s.Detail)
}

// Reply is what an SMTP server answered (RFC 5321 §4.2): a three-digit code, the
// enhanced status where it gave one (RFC 2034), and the text lines without code,
// separator, enhanced status and line end. The text is the remote's and hostile
// until it went through Clean. The zero value means that nothing was said.
type Reply struct {
	Code   int
	Status Status
	Lines  []string
}

// IsZero reports whether the server said nothing.
func (r Reply) IsZero() bool { return r.Code == 0 }

// Positive reports a 2xx reply.
func (r Reply) Positive() bool { return r.Code/100 == 2 }

// Intermediate reports a 3xx reply (RFC 5321 §4.2.1: go on with the data).
func (r Reply) Intermediate() bool { return r.Code/100 == 3 }

// Transient reports a 4xx reply.
func (r Reply) Transient() bool { return r.Code/100 == 4 }

// Permanent reports a 5xx reply.
func (r Reply) Permanent() bool { return r.Code/100 == 5 }

// Text joins the lines with single spaces, cleaned for people (see Clean).
func (r Reply) Text() string { return Clean(strings.Join(r.Lines, " ")) }

// String is code, enhanced status and text as a person would quote them,
// cleaned; "" when nothing was said.
func (r Reply) String() string {
	if r.IsZero() {
		return ""
	}
	parts := []string{strconv.Itoa(r.Code)}
	if !r.Status.IsZero() {
		parts = append(parts, r.Status.String())
	}
	if t := r.Text(); t != "" {
		parts = append(parts, t)
	}
	return strings.Join(parts, " ")
}

// ReplyLine is one line of a reply.
type ReplyLine struct {
	Code   int
	More   bool   // another line of the same reply follows
	Status Status // zero where the line has none that fits its code
	Text   string // without code, separator and enhanced status
}

// ParseReplyLine reads one line of a reply, without its line end (RFC 5321 §4.2): three
// digits, the first from 2 to 5, then a space or a hyphen and text. A code alone is a last
// line without text, which clients must accept.
func ParseReplyLine(line string) (ReplyLine, error) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !isDigit(line[1]) || !isDigit(line[2]) {
		return ReplyLine{}, fmt.Errorf("%q is no reply", Clean(line))
	}
	r := ReplyLine{Code: int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')}
	if len(line) == 3 {
		return r, nil
	}
	switch line[3] {
	case ' ':
	case '-':
		r.More = true
	default:
		return ReplyLine{}, fmt.Errorf("%q is no reply", Clean(line))
	}
	r.Text = line[4:]
	// RFC 2034 §4: the status comes first in the text and its class is the code's first digit.
	word, rest, _ := strings.Cut(r.Text, " ")
	if st, ok := ParseStatus(word); ok && st.Class == r.Code/100 {
		r.Status, r.Text = st, rest
	}
	return r, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
