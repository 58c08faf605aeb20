package sandbox

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

// scripted runs one host, mx.d.test, with the script.
func scripted(t *testing.T, script Script) *Sandbox {
	t.Helper()
	return serve(t, Host{Script: script})
}

// rest reads until the connection ends, in whatever way.
func rest(c *client) (string, error) {
	var b bytes.Buffer
	_, err := io.Copy(&b, c.text.R)
	return b.String(), err
}

func TestReplies(t *testing.T) {
	t.Parallel()
	s := scripted(t, First(
		Nth(Connect, 2, Reply("554 no service")),                                                  // S5
		Nth(Connect, 3, Raw("HTTP/1.1 400 Bad Request\r\n\r\n")),                                  // S7
		Nth(Connect, 4, Drip("220 slow\r\n", time.Microsecond)),                                   // S4
		Nth("MAIL", 1, Reply("451-4.3.0 a", "451 4.3.0 b")),                                       // S12
		To(Reply("550 5.1.1 no"), "b@d.test"),                                                     // S13
		To(Reply("452 full"), "c@d.test"),                                                         // S13
		When(func(e Event) bool { return e.Verb == Dot && e.Size > 100 }, Reply("552 5.3.4 big")), // S19
		On("NOOP", Raw("250 one\r\n", "250 two\r\n")),                                             // S21
		On("VRFY", Hang(Continue)),
		On("HELP", Late("214 late\r\n", time.Millisecond)), // S28
	))
	c := greeted(t, s, "mx.d.test")
	c.do(451, "MAIL FROM:<a@b.test>")
	c.do(503, "RCPT TO:<a@d.test>") // a refused MAIL had no effect
	c.do(250, "MAIL FROM:<a@b.test>")
	c.do(250, "RCPT TO:<a@d.test>")
	c.do(550, "RCPT TO:<b@d.test>")
	c.do(452, "RCPT TO:<c@d.test>")
	c.do(354, "DATA")
	c.do(250, "%s.", message)
	c.do(250, "MAIL FROM:<a@b.test>")
	c.do(250, "RCPT TO:<a@d.test>")
	c.do(354, "DATA")
	c.do(552, "%s\r\n.", strings.Repeat("x", 100))
	c.do(250, "NOOP")
	c.want(250)
	c.raw("VRFY x\r\n")
	c.do(250, "RSET") // and nothing for VRFY
	c.do(214, "HELP")
	c.quit()
	if d := only(t, s); len(d.Recipients) != 1 {
		t.Errorf("recipients %v", d.Recipients)
	}
	c = dial(t, s, "mx.d.test")
	c.want(554)
	c.do(503, "EHLO x")
	c.quit()
	if line, err := dial(t, s, "mx.d.test").text.ReadLine(); line != "HTTP/1.1 400 Bad Request" {
		t.Errorf("greeting %q, %v", line, err)
	}
	dial(t, s, "mx.d.test").want(220)
}

// TestForcedDATA: S14, S15.
func TestForcedDATA(t *testing.T) {
	t.Parallel()
	s := scripted(t, First(On("RCPT", Reply("550 no")), Nth("DATA", 1, Reply("354 go")), Nth("DATA", 2, Reply("250 what"))))
	c := greeted(t, s, "mx.d.test")
	c.do(250, "MAIL FROM:<a@b.test>")
	c.do(550, "RCPT TO:<a@d.test>")
	c.do(354, "DATA")
	c.do(554, ".")
	c.do(250, "DATA")
	c.do(250, "NOOP") // no message is read
}

// TestEnds: how a connection ends, after a command in clear and inside TLS.
func TestEnds(t *testing.T) {
	t.Parallel()
	s := scripted(t, First(
		On("NOOP", Reply("421 4.3.2 bye").Then(Close)),
		On("RSET", Reply("421 4.3.2 bye").Then(Sever)),
		On("VRFY", Reply("421 4.3.2 bye").Then(HalfClose)),
		On("HELP", Hang(Reset)),
		On("EXPN", Reply("250 ok").Then(Stall)),
		On("AUTH", Reply("250 ok").Then(Freeze)),
	))
	for _, open := range []func(*testing.T, Network, string) *client{greeted, secured} {
		for _, verb := range []string{"NOOP", "VRFY"} {
			c := open(t, s, "mx.d.test")
			c.do(421, "%s", verb)
			_, err := rest(c)
			if verb == "NOOP" && err != nil {
				t.Errorf("%s: %v", verb, err)
			}
			_ = c.conn.Close()
		}
		c := open(t, s, "mx.d.test")
		c.raw("HELP\r\n")
		if _, err := rest(c); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("HELP: %v", err)
		}
		for _, verb := range []string{"EXPN", "AUTH"} {
			c := open(t, s, "mx.d.test")
			c.do(250, "%s x", verb)
			c.raw("NOOP\r\n")
			c.silent()
		}
	}
	c := greeted(t, s, "mx.d.test")
	c.do(421, "RSET")
	c.gone()
}

// heard keeps what a connection reads.
type heard struct {
	net.Conn
	octets []byte
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	h.octets = append(h.octets, p[:n]...)
	return n, err
}

// TestCloseNotify: T15, Close says close_notify and Sever does not.
func TestCloseNotify(t *testing.T) {
	t.Parallel()
	s := scripted(t, First(On("NOOP", Reply("421 4.3.2 bye").Then(Close)), On("RSET", Reply("421 4.3.2 bye").Then(Sever))))
	for verb, notified := range map[string]bool{"NOOP": true, "RSET": false} {
		c := greeted(t, s, "mx.d.test")
		h := &heard{Conn: c.conn}
		c.conn = h
		config := c.config()
		config.MaxVersion = tls.VersionTLS12 // whose alerts show as such in the record's header
		if err := c.startTLS(config); err != nil {
			t.Fatal(err)
		}
		c.do(421, "%s", verb)
		c.gone()
		// An alert under AES-GCM: a header of 5 octets, then 8 of nonce, 2 of alert, 16 of tag.
		if last := h.octets[len(h.octets)-31:]; bytes.HasPrefix(last, []byte{21, 3, 3, 0, 26}) != notified {
			t.Errorf("%s ends in %x", verb, last)
		}
	}
}

// TestWaitIsBounded: a host that reads nothing does not see the client go.
func TestWaitIsBounded(t *testing.T) {
	t.Parallel()
	s := scripted(t, On(Connect, Hang(Freeze)))
	_ = dial(t, s, "mx.d.test").conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait: %v", err)
	}
}

// TestEndless: S8, replies without end stop when the client has had enough.
func TestEndless(t *testing.T) {
	t.Parallel()
	s := scripted(t, First(On("NOOP", Endless("250-more\r\n")), On("RSET", Endless("x"))))
	for _, verb := range []string{"NOOP", "RSET"} {
		c := greeted(t, s, "mx.d.test")
		c.raw(verb + "\r\n")
		if n, err := io.CopyN(io.Discard, c.text.R, 1<<20); err != nil {
			t.Errorf("%s: %d octets, %v", verb, n, err)
		}
		_ = c.conn.Close()
	}
	settled(t, s)
}

// TestCut: S16 and S20, what happens while the message is read.
func TestCut(t *testing.T) {
	t.Parallel()
	s := scripted(t, First(
		Nth("DATA", 1, Reply("354 go").At(0, Hang(Close))),
		Nth("DATA", 2, Reply("354 go").At(50, Hang(Reset))),
		Nth("DATA", 3, Reply("354 go").At(50, Reply("250 early"))),
		Nth("BDAT", 1, Hang(Continue).At(50, Hang(Close))),
		Nth("BDAT", 2, Reply("451 4.3.0 no")),
		Nth("BDAT", 3, Reply("250 2.0.0 taken by script")),
		Nth("BDAT", 4, Reply("421 bye").Then(Close)),
	))
	begin := func() *client {
		c := greeted(t, s, "mx.d.test")
		c.do(250, "MAIL FROM:<a@b.test>")
		c.do(250, "RCPT TO:<a@d.test>")
		return c
	}
	c := begin()
	c.do(354, "DATA")
	c.gone()
	c = begin()
	c.do(354, "DATA")
	c.raw(strings.Repeat("x\r\n", 20))
	if _, err := rest(c); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset in the message: %v", err)
	}
	c = begin()
	c.do(354, "DATA")
	c.do(250, "%s", strings.Repeat("x\r\n", 20))
	c.do(250, ".")
	if d := only(t, s); d.Size != 62 {
		t.Errorf("%d octets", d.Size)
	}
	c = begin()
	c.raw("BDAT 100 LAST\r\n" + strings.Repeat("x", 60))
	c.gone()
	c = begin()
	c.raw("BDAT 3\r\nabc")
	c.want(451)
	c.do(250, "MAIL FROM:<a@b.test>") // the transaction was over
	c.do(250, "RCPT TO:<a@d.test>")
	c.raw("BDAT 3 LAST\r\nabc")
	if text := c.want(250); !strings.HasSuffix(text, "by script") {
		t.Errorf("reply %q", text)
	}
	if n := s.Accepted(); n != 2 {
		t.Errorf("%d messages accepted", n)
	}
	c = begin()
	c.raw("BDAT 3 LAST\r\nabc")
	c.want(421)
}

// TestTaken: S17, the message is taken and the reply is lost.
func TestTaken(t *testing.T) {
	t.Parallel()
	s := scripted(t, UpTo(Dot, 1, Hang(Close).Taken()))
	c := greeted(t, s, "mx.d.test")
	c.do(250, "MAIL FROM:<a@b.test>")
	c.do(250, "RCPT TO:<a@d.test>")
	c.do(354, "DATA")
	c.raw(message + ".\r\n")
	if got := c.gone(); got != "" {
		t.Errorf("reply %q", got)
	}
	greeted(t, s, "mx.d.test").send("a@b.test", "a@d.test", message)
	if got := s.Received(); len(got) != 2 || string(got[0].Data) != string(got[1].Data) {
		t.Errorf("received %v", got)
	}
}

// TestZeroWindow: S23, a host that ceases to read blocks the client.
func TestZeroWindow(t *testing.T) {
	t.Parallel()
	s := serve(t, Host{ReadBuffer: 4096, Script: On("DATA", Reply("354 go").At(1, Hang(Freeze)))})
	c := greeted(t, s, "mx.d.test")
	c.do(250, "MAIL FROM:<a@b.test>")
	c.do(250, "RCPT TO:<a@d.test>")
	c.do(354, "DATA")
	if err := c.conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	line := []byte(strings.Repeat("x", 998) + "\r\n")
	sent := 0
	for sent < 256<<20 {
		n, err := c.conn.Write(line)
		sent += n
		if err != nil {
			var timeout net.Error
			if !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("after %d octets: %v", sent, err)
			}
			return
		}
	}
	t.Errorf("%d octets were taken", sent)
}

// TestConnections: S30, too many connections at once are greeted with 421.
func TestConnections(t *testing.T) {
	t.Parallel()
	s := serve(t, Host{MaxConnections: 2})
	a, b := greeted(t, s, "mx.d.test"), greeted(t, s, "mx.d.test")
	c := dial(t, s, "mx.d.test")
	c.want(421)
	c.gone()
	a.quit()
	b.quit()
	settled(t, s)
	greeted(t, s, "mx.d.test").quit()
	if n := s.Server("mx.d.test").Connected(); n != 4 {
		t.Errorf("%d connections", n)
	}
}

// TestEvent: what a script is told.
func TestEvent(t *testing.T) {
	t.Parallel()
	var events []Event // of one connection, hence of one goroutine; read once that is over
	s := scripted(t, func(e Event) *Action {
		events = append(events, e)
		return nil
	})
	c := greeted(t, s, "mx.d.test")
	c.send("A@b.test", "x@d.test", message)
	c.do(250, "rset")
	c.send("", "y@d.test", message)
	c.quit()
	settled(t, s)
	var verbs []string
	for _, e := range events {
		verbs = append(verbs, e.Verb)
	}
	if got := strings.Join(verbs, " "); got != "CONNECT EHLO MAIL RCPT DATA . RSET MAIL RCPT DATA . QUIT" {
		t.Fatalf("events %s", got)
	}
	if e := events[3]; e.Path != "x@d.test" || e.MailFrom != "A@b.test" || len(e.Recipients) != 0 || e.Connection != 1 || e.Open != 1 || e.TLS {
		t.Errorf("RCPT %+v", e)
	}
	if e := events[10]; e.Nth != 2 || e.Total != 2 || e.Size != int64(len(message)) || e.Recipients[0] != "y@d.test" || e.MailFrom != "" {
		t.Errorf("second dot %+v", e)
	}
	if e := events[6]; e.Line != "rset" || e.Host != "mx.d.test" {
		t.Errorf("RSET %+v", e)
	}
}

// TestReach: S1, hosts to which no connection can be made.
func TestReach(t *testing.T) {
	t.Parallel()
	s := serve(t, Host{Reach: Refuses}, Host{Reach: Unreachable}, Host{Reach: Silent}, Host{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	for host, want := range map[string]error{
		"mx1.d.test": syscall.ECONNREFUSED,
		"mx2.d.test": syscall.ENETUNREACH,
		"mx3.d.test": context.DeadlineExceeded,
	} {
		if _, err := s.Dial(ctx, netip.Addr{}, address(t, s, host)); !errors.Is(err, want) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if _, err := Serve(Host{Name: "x", Reach: Silent}, s.Authority()); err == nil {
		t.Error("a silent host was served")
	}
	greeted(t, s, "mx4.d.test").quit()
}

// TestKeep: memory is bounded where it is told to be, and functions see everything nevertheless.
func TestKeep(t *testing.T) {
	t.Parallel()
	for _, keep := range []Keep{KeepAll, KeepEnvelopes, KeepCounts} {
		var data []byte
		refuse := errors.New("full")
		s := start(t, Options{
			Domains: []Domain{{Name: "d.test", Hosts: []Host{{OnDelivery: func(d Delivery) error {
				data = d.Data
				if d.MailFrom == "refuse@b.test" {
					return refuse
				}
				return nil
			}}}}},
			Keep: keep,
		})
		c := secured(t, s, "mx.d.test")
		c.send("a@b.test", "x@d.test", message)
		if string(data) != message {
			t.Errorf("the function saw %q", data)
		}
		c.do(250, "MAIL FROM:<refuse@b.test>")
		c.do(250, "RCPT TO:<b@d.test>")
		c.do(354, "DATA")
		c.do(451, ".")
		c.quit()
		settled(t, s)
		got, seen := s.Received(), s.Connections()
		if s.Accepted() != 1 || (len(got) == 1) != (keep < KeepCounts) || (len(seen) == 1) != (keep < KeepCounts) {
			t.Errorf("%d: %d accepted, received %v, connections %v", keep, s.Accepted(), got, seen)
		}
		if len(got) == 1 && (got[0].Data != nil) != (keep == KeepAll) || (len(s.Plaintext()) > 0) != (keep == KeepAll) {
			t.Errorf("%d: kept %v, %q", keep, got, s.Plaintext())
		}
	}
}
