package smtp

import (
	"bufio"
	"bytes"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// canned is a connection that says what it was given, a line at a time and however it is
// asked, and takes anything.
type canned struct {
	net.Conn
	in    *bufio.Reader
	said  bytes.Buffer
	whole string        // what is said in one piece when its turn comes
	think time.Duration // how long it takes over each line
}

func say(says string) *canned {
	return &canned{in: bufio.NewReaderSize(strings.NewReader(says), 1<<20)}
}

func (c *canned) Read(p []byte) (int, error) {
	time.Sleep(c.think)
	line, err := c.in.Peek(min(len(p), max(1, c.in.Buffered())))
	if c.whole != "" && c.in.Buffered() == len(c.whole) && len(p) >= len(c.whole) {
		return c.in.Read(p)
	}
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		line = line[:i+1]
	}
	n := copy(p, line)
	_, _ = c.in.Discard(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (c *canned) Write(p []byte) (int, error)      { return c.said.Write(p) }
func (c *canned) Close() error                     { return nil }
func (c *canned) SetDeadline(time.Time) error      { return nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }

func options() Options {
	return Options{Clock: time.Now, Pace: Ahead, Timeouts: Timeouts{
		Greeting: time.Second, Handshake: time.Second, Command: time.Second, DataStart: time.Second, DataBlock: time.Second, DataDone: time.Second}}
}

// open reads a greeting out of what a server says.
func open(t testing.TB, says string) (*Session, *Failure) {
	t.Helper()
	return Open(t.Context(), say(says), Peer{Host: "mx.test", IP: "192.0.2.1"}, options())
}

// The limits on replies bind exactly (SPEC §4).
func TestReplyLimits(t *testing.T) {
	t.Parallel()
	line := func(n int) string { return "220 " + strings.Repeat("x", n-len("220 \r\n")) + "\r\n" }
	lines := func(n int) string { return strings.Repeat("220-x\r\n", n-1) + "220 x\r\n" }
	long := func(n int) string { return strings.Repeat("220-"+strings.Repeat("x", 1018)+"\r\n", n-1) + "220 x\r\n" }
	for _, c := range []struct {
		name, says string
		ok         bool
	}{
		{"a line of 4 KiB", line(maxLine), true},
		{"a longer line", line(maxLine + 1), false},
		{"128 lines", lines(maxReplyLines), true},
		{"129 lines", lines(maxReplyLines + 1), false},
		{"63 KiB", long(63), true},
		{"more than 64 KiB", long(66), false},
		{"other codes", "220-x\r\n221 x\r\n", false},
		{"no text", "220\r\n", true},
		{"no text, more lines", "220-\r\n220\r\n", true},
		{"nothing", "", false},
		{"no end", "220 x", false},
		{"an end too short", "220 x\r", false},
		{"LF alone", "220 x\n", false},
		{"LF alone in the middle", "220-x\n220 x\r\n", false},
		{"another success", "250 x\r\n", false},
		{"CR in the text", "220 a\rb\r\n", true},
	} {
		s, f := open(t, c.says)
		if (f == nil) != c.ok {
			t.Errorf("%s: %v", c.name, f)
		}
		if f == nil {
			s.Close()
		}
	}
}

// FuzzSession: whatever a server says, a session ends with a clean reason, within its limits,
// and never says more than it may.
func FuzzSession(f *testing.F) {
	for _, s := range []string{
		"", "220 mx\r\n", "220 mx\r\n250-mx\r\n250-STARTTLS\r\n250 SIZE 1\r\n", "220 mx\r\n502 no\r\n250 mx\r\n", "554 no\r\n", "421 busy\r\n",
		"220 mx\r\n250 starttls\r\n220 go\r\n", "220 mx\r\n250 starttls\r\n220 go\r\n250 injected\r\n", "220 mx\r\n250 STARTTLS\r\n454 no\r\n",
		"220-\x1b[2J\r\n220 \xff\r\n", "220 mx\r\n250-a\r\n251 b\r\n", "2\r\n", "\x15\x03\x03\x00\x02\x02\x28", "220 mx\r\n250 STARTTLS\r\n220 go\r\n\x15\x03\x03\x00\x02\x02\x28",
		"220 mx\r\n250 mx\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n221 bye\r\n", "220 mx\r\n250-mx\r\n250 PIPELINING\r\n250 ok\r\n550 no\r\n354 go\r\n554 none\r\n250 ok\r\n",
	} {
		f.Add([]byte(s))
	}
	forced := policy.Requirement{Encrypt: true}
	f.Fuzz(func(t *testing.T, says []byte) {
		for _, req := range []policy.Requirement{forced, {}} {
			conn := say(string(says))
			talkAll(t, conn, req)
			if said := conn.said.String(); req.Encrypt && (strings.Contains(said, "MAIL") || strings.Contains(said, "secret")) {
				t.Errorf("said %q in clear", said)
			}
		}
	})
}

// talkAll takes a session as far as it goes.
func talkAll(t *testing.T, conn net.Conn, req policy.Requirement) {
	t.Helper()
	s, f := Open(t.Context(), conn, Peer{Host: "mx.test", IP: "192.0.2.1"}, options())
	if f == nil {
		f = s.Hello("mta1.test")
	}
	if f == nil && s.Offers("STARTTLS") {
		f = s.StartTLS(Security{Offer: policy.Offer{StartTLS: true, Versions: req.Versions(), Suites: req.Suites()}})
	}
	var m *Mailer
	if f == nil {
		m, f = s.Admit(req)
	}
	if f != nil {
		checkFailure(t, f)
		if s != nil && !s.dead {
			t.Errorf("the session is still open after %s", f.Text)
		}
		return
	}
	tx := &Transaction{From: mail.Address{Local: "secret", Domain: "a.test"}, Recipients: []mail.Address{{Local: "secret", Domain: "b.test"}},
		Content: text{strings.NewReader("Subject: secret\r\n\r\nsecret\r\n")}}
	for _, a := range m.Send(tx) {
		if a.Failure == nil && a.Reply.IsZero() {
			t.Errorf("a recipient without an answer: %+v", a)
		}
		if a.Failure != nil {
			checkFailure(t, a.Failure)
		}
	}
	m.Quit()
}

func checkFailure(t *testing.T, f *Failure) {
	t.Helper()
	if f.Text == "" || mail.Clean(f.Text) != f.Text || f.Reason.Category() == "" || f.Stage == "" {
		t.Errorf("stage %q, reason %q, text %q", f.Stage, f.Reason, f.Text)
	}
	if f.Definitive && f.Reason.Category() == policy.CategoryNetwork {
		t.Errorf("%s bounces", f.Reason)
	}
}

// text is a message.
type text struct{ *strings.Reader }

// Keywords are told apart whatever their case, the first of its kind counts, and what stands
// behind is kept.
func TestExtensions(t *testing.T) {
	t.Parallel()
	s, f := open(t, "220 mx\r\n250-STARTTLS greets you\r\n250-Pipelining\r\n250-SIZE 1000\r\n250-size 5\r\n250-\r\n250 8bitmime \r\n")
	if f == nil {
		f = s.Hello("mta1.test")
	}
	if f != nil {
		t.Fatal(f)
	}
	defer s.Close()
	for keyword, want := range map[string]bool{"PIPELINING": true, "8BITMIME": true, "SIZE": true, "STARTTLS": false, "": false, "DSN": false} {
		if s.Offers(keyword) != want {
			t.Errorf("%q offered: %v", keyword, s.Offers(keyword))
		}
	}
	if got := s.sizeLimit(); got != 1000 {
		t.Errorf("the limit is %d", got)
	}
}

// HELO's answer announces nothing, however many lines it has.
func TestHELO(t *testing.T) {
	t.Parallel()
	for code, helo := range map[string]bool{"500": true, "501": true, "502": true, "503": true, "504": true, "505": false, "550": false, "450": false} {
		s, f := open(t, "220 mx\r\n"+code+" no\r\n250-mx\r\n250 STARTTLS\r\n")
		if f != nil {
			t.Fatal(f)
		}
		f = s.Hello("mta1.test")
		if (f == nil) != helo {
			t.Errorf("%s to EHLO: %v", code, f)
		}
		if f != nil && (f.Stage != delivery.StageEHLO || f.Definitive != (code[0] == '5')) {
			t.Errorf("%s to EHLO: %+v", code, f)
		}
		if f == nil && s.Offers("STARTTLS") {
			t.Error("HELO announced STARTTLS")
		}
		s.Close()
	}
}

func TestXText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"plain-1.2": "plain-1.2", "a+b=c": "a+2Bb+3Dc", "a b\x00ä": "a+20b+00+C3+A4"} {
		if got := xtext(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// What a server says again and again is understood each time as it was the first time, traced each
// time, and never taken for the end of a longer reply.
func TestUsualReplies(t *testing.T) {
	t.Parallel()
	var says, trace strings.Builder
	says.WriteString("220 hi\r\n")
	var want []mail.Reply
	for i := range 2 * maxUsual {
		id := "queued as " + strings.Repeat("a", i)
		says.WriteString("250 2.1.0 ok\r\n250-2.1.0 ok\r\n250 2.1.0 ok\r\n250 2.1.0 " + id + "\r\n451 4.3.0 later\r\n")
		ok := mail.Status{Class: 2, Subject: 1}
		want = append(want, mail.Reply{Code: 250, Status: ok, Lines: []string{"ok"}},
			mail.Reply{Code: 250, Status: ok, Lines: []string{"ok", "ok"}},
			mail.Reply{Code: 250, Status: ok, Lines: []string{id}},
			mail.Reply{Code: 451, Status: mail.Status{Class: 4, Subject: 3}, Lines: []string{"later"}})
	}
	opts := options()
	opts.Trace = &trace
	s, f := Open(t.Context(), say(says.String()), Peer{Host: "mx.test", IP: "192.0.2.1"}, opts)
	if f != nil {
		t.Fatal(f)
	}
	for i, w := range want {
		got, err := s.readReply(time.Second)
		if err != nil || !reflect.DeepEqual(got, w) {
			t.Fatalf("reply %d: %+v, want %+v, %v", i, got, w, err)
		}
	}
	if len(s.usual) != maxUsual {
		t.Errorf("%d replies are remembered", len(s.usual))
	}
	if got, lines := strings.Count(trace.String(), "S: "), strings.Count(says.String(), "\n"); got != lines {
		t.Errorf("%d lines were traced, want %d", got, lines)
	}
}
