package sandbox

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// transaction is what the client said since MAIL.
type transaction struct {
	open       bool // MAIL was accepted
	from       string
	params     []string
	utf8       bool
	binary     bool // BODY=BINARYMIME
	chunked    bool // BDAT was used
	recipients []Recipient
	addresses  []string // theirs
	body       body
}

// reset forgets the transaction (RFC 5321 §4.1.1.5).
func (c *session) reset() { c.tx = transaction{} }

var errPath = errors.New("no path in angle brackets")

// parsePath reads the argument of MAIL or RCPT from a whole command line: FROM:<path> params (RFC 5321 §4.1.2).
func parsePath(line string) (path string, params []string, err error) {
	_, rest, found := strings.Cut(line, ":")
	if !found || !strings.HasPrefix(rest, "<") {
		return "", nil, errPath
	}
	end := closing(rest)
	if end < 0 || (end+1 < len(rest) && rest[end+1] != ' ') {
		return "", nil, errPath
	}
	return rest[1:end], strings.Fields(rest[end+1:]), nil
}

// closing is the place of the bracket that ends a path, quoted ones passed over; -1: there is none.
func closing(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '>' && !quoted:
			return i
		}
	}
	return -1
}

// mail is the MAIL command (RFC 5321 §4.1.1.2) and what its acceptance does.
func (c *session) mail(arg string) (reply, func()) {
	if c.ehlo == "" || c.tx.open {
		return reply{503, "5.5.1", "bad sequence of commands"}, nil
	}
	path, params, err := parsePath(arg)
	if err != nil || !hasPrefixFold(arg, "FROM:") {
		return reply{501, "5.5.4", "syntax: MAIL FROM:<path>"}, nil
	}
	tx := transaction{open: true, from: path, params: params}
	r := reply{250, "2.1.0", "sender ok"}
	for _, p := range params {
		if bad := c.mailParam(p, &tx); bad.code != 0 {
			r = bad
			break
		}
	}
	if r.code == 250 && !tx.utf8 && !ascii(path) {
		r = reply{553, "5.6.7", "that address needs SMTPUTF8"} // RFC 6531 §3.5
	}
	if limit, err := strconv.Atoi(c.limit("MAILMAX")); err == nil && c.messages >= limit {
		r = reply{452, "4.5.3", "too many messages in this session"} // RFC 9422 §4.1
	}
	return r, func() { c.tx = tx }
}

// mailParam judges one parameter of MAIL; a code of zero accepts it.
func (c *session) mailParam(p string, tx *transaction) reply {
	name, value, _ := strings.Cut(p, "=")
	needs := ""
	switch name = strings.ToUpper(name); name {
	case "SIZE": // RFC 1870 §6.1
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			return reply{501, "5.5.4", "SIZE needs a number"}
		}
		if limit := c.sizeLimit(); limit > 0 && n > limit {
			return reply{552, "5.3.4", "message exceeds the size limit"}
		}
		needs = "SIZE"
	case "BODY": // RFC 6152 §3, RFC 3030 §3
		switch strings.ToUpper(value) {
		case "7BIT", "8BITMIME":
			needs = "8BITMIME"
		case "BINARYMIME":
			needs, tx.binary = "BINARYMIME", true
		default:
			return reply{501, "5.5.4", "unknown BODY"}
		}
	case "SMTPUTF8": // RFC 6531 §3.4
		needs, tx.utf8 = "SMTPUTF8", true
	case "RET", "ENVID": // RFC 3461 §4.3, §4.4
		needs = "DSN"
	case "REQUIRETLS": // RFC 8689 §2
		needs = "REQUIRETLS"
	}
	if needs == "" || !c.extended || !c.offers(needs) {
		return reply{555, "5.5.4", "parameter not recognised"} // RFC 5321 §4.1.1.11
	}
	return reply{}
}

// rcpt is the RCPT command (RFC 5321 §4.1.1.3) and what its acceptance does.
func (c *session) rcpt(arg string) (reply, func()) {
	if !c.tx.open || c.tx.chunked {
		return reply{503, "5.5.1", "bad sequence of commands"}, nil
	}
	path, params, err := parsePath(arg)
	if err != nil || path == "" || !hasPrefixFold(arg, "TO:") {
		return reply{501, "5.5.4", "syntax: RCPT TO:<path>"}, nil
	}
	r := reply{250, "2.1.5", "recipient ok"}
	for _, p := range params {
		name, _, _ := strings.Cut(p, "=")
		// RFC 3461 §4.1, §4.2
		if !slices.Contains([]string{"NOTIFY", "ORCPT"}, strings.ToUpper(name)) || !c.offers("DSN") {
			r = reply{555, "5.5.4", "parameter not recognised"}
		}
	}
	if r.code == 250 && !c.tx.utf8 && !ascii(path) {
		r = reply{553, "5.6.7", "that address needs SMTPUTF8"}
	}
	if limit, err := strconv.Atoi(c.limit("RCPTMAX")); err == nil && len(c.tx.recipients) >= limit {
		r = reply{452, "4.5.3", "too many recipients"} // RFC 9422 §4.2, RFC 5321 §4.5.3.1.10
	}
	return r, func() {
		c.tx.recipients = append(c.tx.recipients, Recipient{Address: path, Params: params})
		c.tx.addresses = append(c.tx.addresses, path)
	}
}

// sizeLimit is the limit that SIZE states; zero: none (RFC 1870 §4).
func (c *session) sizeLimit() int64 {
	n, err := strconv.ParseInt(c.offer()["SIZE"], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// limit is a value of the LIMITS keyword (RFC 9422 §3), or empty.
func (c *session) limit(name string) string {
	for _, l := range strings.Fields(c.offer()["LIMITS"]) {
		if k, v, ok := strings.Cut(l, "="); ok && strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
