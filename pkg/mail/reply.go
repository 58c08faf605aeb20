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
	if len(s) < len("2.0.0") || s[0] != '2' && s[0] != '4' && s[0] != '5' || s[1] != '.' {
		return Status{}, false
	}
	subject, detail, _ := strings.Cut(s[2:], ".")
	x, ok := statusNumber(subject)
	y, ok2 := statusNumber(detail)
	if !ok || !ok2 {
		return Status{}, false
	}
	return Status{int(s[0] - '0'), x, y}, true
}

// statusNumber reads one to three digits, which MUST have no leading zeros (RFC 3463 §2).
func statusNumber(s string) (int, bool) {
	if len(s) == 0 || len(s) > 3 || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
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
