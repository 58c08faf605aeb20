package dsn

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/sendctl/sendctl/pkg/mail"
)

// report is a notification as the standard library reads it.
type report struct {
	header         netmail.Header
	words, headers string                 // the first and the third part, decoded
	groups         []textproto.MIMEHeader // of the second part
}

// read parses a notification with net/mail and mime/multipart.
func read(t testing.TB, text []byte) report {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/report" || params["report-type"] != "delivery-status" {
		t.Fatalf("%s %v (%v)", kind, params, err)
	}
	r := report{header: m.Header}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, want := range []string{"text/plain; charset=utf-8", "message/delivery-status", "text/rfc822-headers; charset=utf-8"} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Header.Get("Content-Type"); got != want {
			t.Errorf("a part is %s, want %s", got, want)
		}
		body := decoded(t, p)
		switch want {
		case "message/delivery-status":
			r.groups = groups(t, body)
		case "text/plain; charset=utf-8":
			r.words = body
		default:
			r.headers = body
		}
	}
	if _, err := parts.NextRawPart(); !errors.Is(err, io.EOF) {
		t.Errorf("after three parts: %v", err)
	}
	return r
}

func decoded(t testing.TB, p *multipart.Part) string {
	t.Helper()
	var body io.Reader = p
	if p.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		body = quotedprintable.NewReader(p)
	}
	all, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// groups reads the groups of fields of a message/delivery-status (RFC 3464 §2.1).
func groups(t testing.TB, body string) []textproto.MIMEHeader {
	t.Helper()
	var out []textproto.MIMEHeader
	r := textproto.NewReader(bufio.NewReader(strings.NewReader(body + "\r\n\r\n")))
	for {
		h, err := r.ReadMIMEHeader()
		if err != nil {
			t.Fatalf("%v in\n%s", err, body)
		}
		if len(h) == 0 {
			return out
		}
		out = append(out, h)
	}
}

// check holds what is true of every notification, whatever it is about.
func check(t testing.TB, n Notification) report {
	t.Helper()
	text := Compose(n)
	rest := text
	for len(rest) > 0 {
		line, after, found := bytes.Cut(rest, []byte("\r\n"))
		if !found || bytes.ContainsAny(line, "\r\n") {
			t.Fatalf("a line that does not end in CRLF alone: %.200q", line)
		}
		if len(line) > 998 {
			t.Errorf("a line of %d octets: %.80q", len(line), line)
		}
		rest = after
	}
	if !n.To.NeedsSMTPUTF8() && bytes.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		t.Error("not ASCII, though the address is")
	}
	accepted(t, n, text)
	r := read(t, text)
	for _, s := range []string{string(text), r.words, r.headers} {
		if i := strings.IndexFunc(s, steers); i >= 0 {
			t.Errorf("control characters: %.100q", s[i:])
		}
	}
	if len(r.groups) != 1+len(n.Recipients) {
		t.Errorf("%d groups for %d recipients", len(r.groups), len(n.Recipients))
	}
	for name, want := range map[string]string{"Auto-Submitted": "auto-replied", "MIME-Version": "1.0", "To": "<" + n.To.String() + ">"} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	// RFC 3464 §2.2.2, §2.3.2 to 2.3.4: fields that must be there.
	for i, g := range r.groups {
		required := []string{"Final-Recipient", "Action", "Status", "Diagnostic-Code"}
		if i == 0 {
			required = []string{"Reporting-Mta"}
		}
		for _, name := range required {
			if len(g[name]) != 1 || g[name][0] == "" {
				t.Errorf("group %d: %s is %q", i, name, g[name])
			}
		}
	}
	return r
}

// steers knows characters that do something to a terminal or to the order of text.
func steers(r rune) bool {
	return r != '\t' && r != '\r' && r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// accepted holds that our own reader takes the notification for one, for it goes out as any
// message does, and that nobody is told of its own failure.
func accepted(t testing.TB, n Notification, text []byte) {
	t.Helper()
	m, err := mail.ParseFor(bytes.NewReader(text), int64(len(text)), []mail.Address{n.To})
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	if !m.IsReport() || !m.AutoSubmitted() || m.NeedsSMTPUTF8() != n.To.NeedsSMTPUTF8() || m.EightBit() != n.To.NeedsSMTPUTF8() {
		t.Errorf("report %v, auto-submitted %v, UTF-8 %v, 8-bit %v", m.IsReport(), m.AutoSubmitted(), m.NeedsSMTPUTF8(), m.EightBit())
	}
}
