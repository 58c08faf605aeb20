package sandbox

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestPipelining: a batch in one write is answered in one, in order (RFC 2920).
func TestPipelining(t *testing.T) {
	t.Parallel()
	s := serve(t, Host{Script: To(Reply("550 5.1.1 no"), "b@d.test")})
	c := greeted(t, s, "mx.d.test")
	c.raw("MAIL FROM:<s@clinic.test>\r\nRCPT TO:<a@d.test>\r\nRCPT TO:<b@d.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n")
	buf := make([]byte, 1000)
	n, err := c.conn.Read(buf)
	want := "250 2.1.0 sender ok\r\n250 2.1.5 recipient ok\r\n550 5.1.1 no\r\n250 2.1.5 recipient ok\r\n354 end with a line that is a dot\r\n"
	if got := string(buf[:n]); err != nil || got != want {
		t.Fatalf("one read got %q, %v", got, err)
	}
	// The dot and the next transaction share a batch too.
	c.raw(message + ".\r\nMAIL FROM:<>\r\nRCPT TO:<d@d.test>\r\nDATA\r\n")
	for _, code := range []int{250, 250, 250, 354} {
		c.want(code)
	}
	c.raw(message + ".\r\nQUIT\r\n")
	c.want(250)
	c.want(221)
	settled(t, s)
	got := s.Received()
	if len(got) != 2 || len(got[0].Recipients) != 2 || got[0].Recipients[1].Address != "c@d.test" || got[1].MailFrom != "" {
		t.Errorf("received %+v", got)
	}
	if v := s.Connections()[0].Violations; len(v) != 0 {
		t.Errorf("violations %q", v)
	}
}

func TestSequence(t *testing.T) {
	t.Parallel()
	s := serve(t, Host{})
	c := dial(t, s, "mx.d.test")
	c.want(220)
	for _, step := range []struct {
		line string
		code int
	}{
		{"MAIL FROM:<a@b.test>", 503},
		{"EHLO", 501},
		{"HELO old.test", 250},
		{"MAIL FROM:<a@b.test> SIZE=1", 555}, // no extensions after HELO
		{"ehlo new.test", 250},
		{"RCPT TO:<a@d.test>", 503},
		{"DATA", 503},
		{"BDAT 0 LAST", 503},
		{"MAIL a@b.test", 501},
		{"MAIL FROM:<a@b.test", 501},
		{"MAIL TO:<a@b.test>", 501},
		{"MAIL FROM:<a@b.test> FOO=BAR", 555},
		{"MAIL FROM:<a@b.test> SIZE=x", 501},
		{"MAIL FROM:<a@b.test> SIZE=99999999999", 552},
		{"MAIL FROM:<a@b.test> BODY=9BIT", 501},
		{"MAIL FROM:<a@b.test> BODY=BINARYMIME", 555},
		{"MAIL FROM:<a@b.test> REQUIRETLS", 555}, // offered only inside TLS
		{"MAIL FROM:<ä@b.test>", 553},
		{"MAIL FROM:<\"a>b\"@b.test> SIZE=10 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=x", 250},
		{"MAIL FROM:<a@b.test>", 503},
		{"DATA", 554},
		{"RCPT TO:<>", 501},
		{"RCPT TO:<a@d.test> FOO", 555},
		{"RCPT TO:<ü@d.test> NOTIFY=FAILURE ORCPT=utf-8;x", 250},
		{"DATA now", 501},
		{"RSET", 250},
		{"DATA", 503},
		{"NOOP", 250},
		{"VRFY a", 252},
		{"HELP", 214},
		{"EXPN a", 502},
		{"AUTH PLAIN", 502},
		{"FOO", 500},
		{"", 500},
		{strings.Repeat("x", 5000), 500},
		{"STARTTLS x", 501},
		{"QUIT", 221},
	} {
		c.do(step.code, "%s", step.line)
	}
}

func TestSecuredSession(t *testing.T) {
	t.Parallel()
	s := serve(t, Host{Keywords: []string{"PIPELINING"}, KeywordsTLS: []string{"SIZE 99", "REQUIRETLS"}})
	c := dial(t, s, "mx.d.test")
	c.want(220)
	if e := c.do(250, "EHLO c.test"); !has(e, "PIPELINING") || !has(e, "STARTTLS") || has(e, "SIZE 99") {
		t.Errorf("before TLS: %q", e)
	}
	c.do(250, "MAIL FROM:<before@b.test>")
	if err := c.startTLS(c.config()); err != nil {
		t.Fatal(err)
	}
	c.do(503, "MAIL FROM:<a@b.test>") // RFC 3207 §4.2: EHLO anew
	// T6
	if e := c.do(250, "EHLO c.test"); has(e, "PIPELINING") || has(e, "STARTTLS") || !has(e, "SIZE 99") {
		t.Errorf("inside TLS: %q", e)
	}
	c.do(503, "STARTTLS")
	c.do(250, "MAIL FROM:<a@b.test> REQUIRETLS SIZE=99")
	c.do(250, "RCPT TO:<b@d.test>")
	c.do(354, "DATA")
	c.do(250, "secret\r\n.")
	c.quit()
	settled(t, s)
	d := only(t, s)
	if d.TLS == nil || d.Ehlo != "c.test" || !slices.Equal(d.MailParams, []string{"REQUIRETLS", "SIZE=99"}) {
		t.Errorf("received %+v", d)
	}
	// T21: what went inside TLS is not among the octets in clear.
	plain := s.Plaintext()
	if !bytes.HasPrefix(plain, []byte("EHLO c.test\r\nMAIL FROM:<before@b.test>\r\nSTARTTLS\r\n\x16\x03")) ||
		bytes.Contains(plain, []byte("secret")) || bytes.Contains(plain, []byte("<a@b.test>")) {
		t.Errorf("in clear: %q", plain)
	}
	seen := s.Connections()[0]
	if !seen.Ended || seen.Hello == nil || seen.Hello.ServerName != "mx.d.test" || seen.Hello.Size < 200 || seen.Commands[3] != "MAIL FROM:<a@b.test>" {
		t.Errorf("seen %+v", seen)
	}
}

// TestBdat: chunks, pipelined, with octets that DATA could not carry (RFC 3030).
func TestBdat(t *testing.T) {
	t.Parallel()
	s := serve(t, Host{Keywords: append(DefaultKeywords(), "BINARYMIME")})
	c := greeted(t, s, "mx.d.test")
	c.raw("MAIL FROM:<a@b.test> BODY=BINARYMIME\r\nRCPT TO:<b@d.test>\r\nBDAT 5\r\n.\r\n.\nBDAT 0\r\nBDAT 4 LAST\r\n\x00\r\xff.")
	for _, code := range []int{250, 250, 250, 250, 250} {
		c.want(code)
	}
	// Two messages in one batch.
	for range 2 {
		c.raw(fmt.Sprintf("MAIL FROM:<a@b.test>\r\nRCPT TO:<b@d.test>\r\nBDAT %d LAST\r\n%s", len(message), message))
	}
	for range 6 {
		c.want(250)
	}
	// What does not go.
	c.raw("BDAT 3\r\nabc")
	c.want(503)
	c.do(250, "MAIL FROM:<a@b.test>")
	c.raw("BDAT 3 LAST\r\nabc")
	c.want(554)
	c.do(250, "RCPT TO:<b@d.test>")
	c.raw("BDAT 3\r\nabc")
	c.want(250)
	c.do(503, "RCPT TO:<c@d.test>")
	c.do(503, "DATA")
	c.raw("BDAT x LAST\r\n")
	c.want(501)
	c.gone()
	got := s.Received()
	if len(got) != 3 || string(got[0].Data) != ".\r\n.\n\x00\r\xff." || string(got[2].Data) != message || !got[2].Chunked {
		t.Errorf("received %+v", got)
	}
	if f := (Form{BareLF: true, BareCR: true, NUL: true, EightBit: true, Unended: true, LongestLine: 6}); got[0].Form != f {
		t.Errorf("form %+v, want %+v", got[0].Form, f)
	}
	settled(t, s)
	if v := s.Connections()[0].Violations; len(v) != 0 {
		t.Errorf("violations %q", v)
	}
}

// TestDotted: only CRLF.CRLF ends a message, and one dot is taken off a line (M2).
func TestDotted(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		wire, want string
		form       Form
	}{
		{"a\r\n", "a\r\n", Form{LongestLine: 1}},
		{"", "", Form{}},
		{"..\r\n", ".\r\n", Form{LongestLine: 1}},
		{"...a\r\n.b\r\n", "..a\r\nb\r\n", Form{LongestLine: 3}},
		{"a\n.\nb\r\n", "a\n.\nb\r\n", Form{BareLF: true, LongestLine: 5}},
		{"a\n.\r\nb\r\n", "a\n.\r\nb\r\n", Form{BareLF: true, LongestLine: 3}},
		{"a\r\n.\nb\r\n", "a\r\n\nb\r\n", Form{BareLF: true, LongestLine: 2}},
		{"a\r.\r\nb\r\n", "a\r.\r\nb\r\n", Form{BareCR: true, LongestLine: 3}},
		{"a\r\n.\r.\r\n", "a\r\n\r.\r\n", Form{BareCR: true, LongestLine: 2}},
		{"a\r\r\n", "a\r\r\n", Form{BareCR: true, LongestLine: 2}},
		{"\x00\xe4\r\n", "\x00\xe4\r\n", Form{NUL: true, EightBit: true, LongestLine: 2}},
		{strings.Repeat("x", 100000) + "\r\n", strings.Repeat("x", 100000) + "\r\n", Form{LongestLine: 100000}},
	} {
		s := serve(t, Host{})
		c := greeted(t, s, "mx.d.test")
		c.do(250, "MAIL FROM:<a@b.test>")
		c.do(250, "RCPT TO:<b@d.test>")
		c.do(354, "DATA")
		c.do(250, "%s.", row.wire)
		c.quit()
		settled(t, s)
		d := only(t, s)
		if string(d.Data) != row.want || d.Form != row.form || d.Size != int64(len(row.want)) {
			t.Errorf("%.40q: received %.40q, %+v", row.wire, d.Data, d.Form)
		}
		odd := row.form
		odd.LongestLine = max(0, odd.LongestLine-998)
		if v := s.Connections()[0].Violations; (len(v) == 0) != (odd == Form{}) {
			t.Errorf("%.40q: violations %q", row.wire, v)
		}
	}
}

// TestViolations: what a client must not do is noted.
func TestViolations(t *testing.T) {
	t.Parallel()
	for want, talk := range map[string]string{
		"a command line not ended by CRLF":                               "NOOP\n",
		"a command line too long":                                        strings.Repeat("x", 5000) + "\r\n",
		"a bare CR or NUL in a command line":                             "NOOP \r x\r\n",
		"NOOP not the last command of its group":                         "NOOP\r\nNOOP\r\n",
		"RSET pipelined, though PIPELINING was not offered":              "RSET\r\nNOOP\r\n",
		"octets behind the final dot, though PIPELINING was not offered": "MAIL FROM:<a@b.test>\r\nRCPT TO:<b@d.test>\r\nDATA\r\n" + message + ".\r\nNOOP\r\n",
		"8-bit octets without BODY=8BITMIME":                             "MAIL FROM:<a@b.test>\r\nRCPT TO:<b@d.test>\r\nDATA\r\n\xff\r\n.\r\n",
		"STARTTLS not the last command of its group":                     "STARTTLS\r\nEHLO x\r\n",
	} {
		s := serve(t, Host{Keywords: []string{"8BITMIME"}})
		c := greeted(t, s, "mx.d.test")
		c.raw(talk)
		if err := c.conn.(*Conn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		settled(t, s)
		if v := s.Connections()[0].Violations; !slices.Contains(v, want) {
			t.Errorf("%.30q: violations %q, want %q", talk, v, want)
		}
	}
}

// TestLimits: RFC 9422.
func TestLimits(t *testing.T) {
	t.Parallel()
	s := serve(t, Host{Keywords: []string{"LIMITS MAILMAX=1 RCPTMAX=2"}})
	c := greeted(t, s, "mx.d.test")
	c.do(250, "MAIL FROM:<a@b.test>")
	c.do(250, "RCPT TO:<a@d.test>")
	c.do(250, "RCPT TO:<b@d.test>")
	c.do(452, "RCPT TO:<c@d.test>")
	c.do(354, "DATA")
	c.do(250, "%s.", message)
	c.do(452, "MAIL FROM:<a@b.test>")
	if strings.Contains(c.do(250, "RSET"), "2.0.0") {
		t.Error("an enhanced status code that was not offered")
	}
}
