package sandbox

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a sandbox for the test.
func start(t *testing.T, o Options) *Sandbox {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// serve runs a sandbox with a single domain, d.test, whose hosts these are.
func serve(t *testing.T, hosts ...Host) *Sandbox {
	t.Helper()
	return start(t, Options{Domains: []Domain{{Name: "d.test", Hosts: hosts}}})
}

// ask asks the name server over UDP.
func ask(t *testing.T, server, name string, kind uint16) *dns.Msg {
	t.Helper()
	q := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	m, err := dns.ExchangeContext(t.Context(), q, server)
	if err != nil {
		t.Fatalf("%s %s: %v", name, dns.TypeToString[kind], err)
	}
	return m
}

// address looks a host's IPv4 address up.
func address(t *testing.T, n Network, host string) netip.AddrPort {
	t.Helper()
	m := ask(t, n.DNS(), host, dns.TypeA)
	if len(m.Answer) != 1 {
		t.Fatalf("%s has %d addresses", host, len(m.Answer))
	}
	a, ok := netip.AddrFromSlice(m.Answer[0].(*dns.A).A.To4())
	if !ok {
		t.Fatalf("%s: %v", host, m.Answer[0])
	}
	return netip.AddrPortFrom(a, 25)
}

// client is a raw SMTP client: it sends what the test says and checks the code of what comes.
type client struct {
	t    *testing.T
	conn net.Conn
	text *textproto.Conn
	ca   []byte
	host string
}

// dial connects to a host without awaiting a greeting.
func dial(t *testing.T, n Network, host string) *client {
	t.Helper()
	conn, err := n.Dial(t.Context(), netip.Addr{}, address(t, n, host))
	if err != nil {
		t.Fatalf("%s: %v", host, err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	// A test that goes wrong shall not wait for ever.
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return &client{t: t, conn: conn, text: textproto.NewConn(conn), ca: n.CA(), host: host}
}

// greeted connects and says EHLO.
func greeted(t *testing.T, n Network, host string) *client {
	t.Helper()
	c := dial(t, n, host)
	c.want(220)
	c.do(250, "EHLO client.test")
	return c
}

// secured is greeted and STARTTLS, with a check of the certificate, and EHLO again.
func secured(t *testing.T, n Network, host string) *client {
	t.Helper()
	c := greeted(t, n, host)
	if err := c.startTLS(c.config()); err != nil {
		t.Fatalf("%s: %v", host, err)
	}
	c.do(250, "EHLO client.test")
	return c
}

func (c *client) config() *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.ca)
	return &tls.Config{ServerName: c.host, RootCAs: pool, MinVersion: tls.VersionTLS10, CipherSuites: suites(true)}
}

func (c *client) startTLS(config *tls.Config) error {
	c.t.Helper()
	c.do(220, "STARTTLS")
	conn := tls.Client(c.conn, config)
	if err := conn.HandshakeContext(c.t.Context()); err != nil {
		return err
	}
	c.conn, c.text = conn, textproto.NewConn(conn)
	return nil
}

// raw sends octets.
func (c *client) raw(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, s); err != nil {
		c.t.Fatalf("%s: sending %.40q: %v", c.host, s, err)
	}
}

// want reads a reply and returns its text.
func (c *client) want(code int) string {
	c.t.Helper()
	got, text, err := c.text.ReadResponse(0)
	if err != nil || got != code {
		c.t.Fatalf("%s: reply %d %q, %v; want %d", c.host, got, text, err, code)
	}
	return text
}

// do sends a command and reads its reply.
func (c *client) do(code int, format string, args ...any) string {
	c.t.Helper()
	c.raw(fmt.Sprintf(format, args...) + "\r\n")
	return c.want(code)
}

// send sends a message whole.
func (c *client) send(from, to, message string) {
	c.t.Helper()
	c.do(250, "MAIL FROM:<%s>", from)
	c.do(250, "RCPT TO:<%s>", to)
	c.do(354, "DATA")
	c.do(250, "%s.", message)
}

func (c *client) quit() {
	c.t.Helper()
	c.do(221, "QUIT")
	c.gone()
}

// gone demands that the host has closed in good order; it returns what was still to be read.
func (c *client) gone() string {
	c.t.Helper()
	rest, err := io.ReadAll(c.text.R)
	if err != nil {
		c.t.Fatalf("%s: not closed in good order: %v", c.host, err)
	}
	return string(rest)
}

// silent demands that the host neither says anything nor closes: closing the client's side is what ends it.
func (c *client) silent() {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(30 * time.Millisecond)); err != nil {
		c.t.Fatal(err)
	}
	b, err := c.text.R.ReadByte()
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		c.t.Fatalf("%s: read %q, %v; want silence", c.host, b, err)
	}
}

// settled waits until all connections are over.
func settled(t *testing.T, s *Sandbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		t.Fatal(err)
	}
}

// only is the single message that was received.
func only(t *testing.T, s *Sandbox) Delivery {
	t.Helper()
	got := s.Received()
	if len(got) != 1 {
		t.Fatalf("%d messages received, want 1: %+v", len(got), got)
	}
	return got[0]
}

const message = "From: a@clinic.test\r\nSubject: x\r\n\r\nbody\r\n"

// has reports whether an EHLO reply offers the keyword line.
func has(ehlo, line string) bool {
	for l := range strings.SplitSeq(ehlo, "\n") {
		if l == line {
			return true
		}
	}
	return false
}
