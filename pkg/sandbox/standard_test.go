package sandbox

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// TestStandardVersions: the domains with good TLS speak their versions, and only those.
func TestStandardVersions(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	for host, versions := range map[string][]uint16{
		"mx.tls13.test":   {tls.VersionTLS13},
		"mx.tls12.test":   {tls.VersionTLS12},
		"mx.tls10.test":   {tls.VersionTLS10},
		"mx.modern.test":  {tls.VersionTLS12, tls.VersionTLS13},
		"mx.clinic.test":  {tls.VersionTLS12, tls.VersionTLS13},
		"mx2.backup.test": {tls.VersionTLS12, tls.VersionTLS13},
		"mx2.mixed.test":  {tls.VersionTLS12, tls.VersionTLS13},
		"nomx.test":       {tls.VersionTLS12, tls.VersionTLS13},
	} {
		for v := uint16(tls.VersionTLS10); v <= tls.VersionTLS13; v++ {
			c := greeted(t, s, host)
			config := c.config()
			config.MinVersion, config.MaxVersion = v, v
			if err := c.startTLS(config); (err == nil) != slices.Contains(versions, v) {
				t.Errorf("%s, %s: %v", host, tls.VersionName(v), err)
			}
			_ = c.conn.Close()
		}
		c := secured(t, s, host)
		c.send("a@clinic.test", "b@"+host, message)
		c.quit()
		d := s.Server(host).Received()[0]
		if want := tlsnames.Version(slices.Max(versions)); d.TLS == nil || d.TLS.Version != want || d.TLS.ServerName != host {
			t.Errorf("%s: received with %+v, want %s", host, d.TLS, want)
		}
	}
}

// TestStandardLegacySuites: a client of tls10.test's age has a suite in common with it.
func TestStandardLegacySuites(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	c := greeted(t, s, "mx.tls10.test")
	config := c.config()
	config.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA}
	if err := c.startTLS(config); err != nil {
		t.Error(err)
	}
}

func TestStandardCertificates(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	for host, is := range map[string]func(error) bool{
		"mx.selfsigned.test": func(err error) bool { return errors.As(err, &unknown) },
		"mx.expired.test": func(err error) bool {
			return errors.As(err, &invalid) && invalid.Reason == x509.Expired
		},
		"mx.wrongname.test": func(err error) bool { return errors.As(err, &name) },
	} {
		c := greeted(t, s, host)
		if err := c.startTLS(c.config()); !is(err) {
			t.Errorf("%s: %v", host, err)
		}
		// Whoever does not ask gets an encrypted session all the same.
		c = greeted(t, s, host)
		config := c.config()
		config.InsecureSkipVerify = true
		if err := c.startTLS(config); err != nil {
			t.Errorf("%s unverified: %v", host, err)
		}
		c.do(250, "EHLO client.test")
		c.send("a@clinic.test", "b@x.test", message)
	}
}

func TestStandardWithoutTLS(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	for _, host := range []string{"mx.plain.test", "mx1.mixed.test"} {
		c := dial(t, s, host)
		c.want(220)
		if e := c.do(250, "EHLO client.test"); has(e, "STARTTLS") {
			t.Errorf("%s offers STARTTLS: %q", host, e)
		}
		c.do(502, "STARTTLS")
		c.send("a@clinic.test", "b@x.test", message)
		c.quit()
		if d := s.Server(host).Received()[0]; d.TLS != nil || string(d.Data) != message {
			t.Errorf("%s: %+v", host, d)
		}
	}
	c := dial(t, s, "mx.refused-tls.test")
	c.want(220)
	if e := c.do(250, "EHLO client.test"); !has(e, "STARTTLS") {
		t.Errorf("refused-tls.test does not offer STARTTLS: %q", e)
	}
	c.do(454, "STARTTLS")
	c.send("a@clinic.test", "b@refused-tls.test", message)
}

func TestStandardBrokenTLS(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	c := greeted(t, s, "mx.broken-tls.test")
	var header tls.RecordHeaderError
	if err := c.startTLS(c.config()); !errors.As(err, &header) {
		t.Errorf("handshake: %v, want an error about the record", err)
	}
}

// TestStandardInject: what is injected comes in the same segment as the 220 (T4).
func TestStandardInject(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	c := greeted(t, s, "mx.inject.test")
	c.raw("STARTTLS\r\n")
	buf := make([]byte, 1000)
	n, err := c.conn.Read(buf)
	if got := string(buf[:n]); err != nil || got != "220 2.0.0 ready to start TLS\r\n250 2.0.0 injected\r\n" {
		t.Fatalf("one read got %q, %v", got, err)
	}
	// And TLS would work for whoever does not care.
	conn := tls.Client(c.conn, c.config())
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStandardBackup(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	_, err := s.Dial(t.Context(), netip.Addr{}, address(t, s, "mx1.backup.test"))
	var op *net.OpError
	if !errors.As(err, &op) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the dead host: %v", err)
	}
	secured(t, s, "mx2.backup.test").quit()
}

func TestStandardRecipients(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	for host, want := range map[string]string{
		"mx.unknown.test": "550 5.1.1 ",
		"mx.full.test":    "452 4.2.2 ",
	} {
		c := secured(t, s, host)
		c.do(250, "MAIL FROM:<a@clinic.test>")
		c.raw("RCPT TO:<b@x.test>\r\n")
		if line, err := c.text.ReadLine(); err != nil || !strings.HasPrefix(line, want) {
			t.Errorf("%s: %q, %v; want %q", host, line, err, want)
		}
		c.do(554, "DATA")
		c.quit()
	}
	c := secured(t, s, "mx.greylist.test")
	c.do(250, "MAIL FROM:<a@clinic.test>")
	if text := c.do(451, "RCPT TO:<b@greylist.test>"); !strings.HasPrefix(text, "4.7.1 ") {
		t.Errorf("greylisted with %q", text)
	}
	c.do(451, "RCPT TO:<c@greylist.test>")
	c.do(250, "RCPT TO:<B@greylist.test>")
	c.do(250, "RSET")
	c.do(250, "MAIL FROM:<other@clinic.test>")
	c.do(451, "RCPT TO:<b@greylist.test>")
}

func TestStandardTooBig(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	c := secured(t, s, "mx.toobig.test")
	if e := c.do(250, "EHLO client.test"); !has(e, "SIZE 10240") || strings.Count(e, "SIZE") != 1 {
		t.Errorf("EHLO: %q", e)
	}
	if text := c.do(552, "MAIL FROM:<a@clinic.test> SIZE=10241"); !strings.HasPrefix(text, "5.3.4 ") {
		t.Errorf("SIZE refused with %q", text)
	}
	long := strings.Repeat("0123456789\r\n", 854) // 10248
	c.do(250, "MAIL FROM:<a@clinic.test>")
	c.do(250, "RCPT TO:<b@toobig.test>")
	c.do(354, "DATA")
	c.do(552, "%s.", long)
	c.do(250, "MAIL FROM:<a@clinic.test> SIZE=10236")
	c.do(250, "RCPT TO:<b@toobig.test>")
	c.do(354, "DATA")
	c.do(250, "%s.", long[12:])
	if d := only(t, s); d.Size != 10236 {
		t.Errorf("received %d octets", d.Size)
	}
}

func TestStandardSlowAndHangup(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	dial(t, s, "mx.slow.test").silent()
	c := secured(t, s, "mx.hangup.test")
	c.do(250, "MAIL FROM:<a@clinic.test>")
	c.do(250, "RCPT TO:<b@hangup.test>")
	c.raw("DATA\r\n")
	if rest := c.gone(); rest != "" {
		t.Errorf("DATA is answered with %q", rest)
	}
	if n := s.Accepted(); n != 0 {
		t.Errorf("%d messages accepted", n)
	}
}

// TestTable: every domain of the table is of the sandbox, with hosts at documentation addresses alone.
func TestTable(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	want := []string{"tls13.test", "tls12.test", "tls10.test", "modern.test", "clinic.test", "plain.test",
		"selfsigned.test", "expired.test", "wrongname.test", "refused-tls.test", "broken-tls.test", "inject.test",
		"backup.test", "mixed.test", "greylist.test", "unknown.test", "full.test", "toobig.test", "slow.test",
		"hangup.test", "null.test", "nomx.test", "nxdomain.test", "servfail.test"}
	var got []string
	for _, i := range Domains() {
		got = append(got, i.Domain)
		if i.About == "" {
			t.Errorf("%s is not described", i.Domain)
		}
		for _, host := range i.MX {
			if a := address(t, s, host).Addr(); !netip.MustParsePrefix("192.0.2.0/24").Contains(a) {
				t.Errorf("%s is at %s", host, a)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("domains %v, want %v", got, want)
	}
	if !slices.EqualFunc(Domains(), s.Table(), func(a, b Info) bool { return a.Domain == b.Domain }) {
		t.Errorf("the sandbox's own table is %v", s.Table())
	}
}

func TestDialContext(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Reach: map[netip.Addr]Reach{
		netip.MustParseAddr("2001:db8:1::1"): Unreachable,
		netip.MustParseAddr("192.0.2.1"):     Silent,
	}})
	at := address(t, s, "mx.modern.test")
	for _, a := range []string{at.String(), "[::ffff:" + at.Addr().String() + "]:587", "[2001:db8::d]:25"} {
		c, err := s.DialContext(t.Context(), "tcp", a)
		if err != nil {
			t.Errorf("%s: %v", a, err)
			continue
		}
		if got := c.RemoteAddr().String(); got != strings.Replace(a, "::ffff:", "", 1) && got != at.Addr().String()+":587" {
			t.Errorf("%s: remote address %s", a, got)
		}
		greeting := make([]byte, 4)
		if _, err := io.ReadFull(c, greeting); err != nil || string(greeting) != "220 " {
			t.Errorf("%s: %q, %v", a, greeting, err)
		}
		_ = c.Close()
	}
	c, err := s.Dial(t.Context(), netip.MustParseAddr("192.0.2.200"), at)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.LocalAddr().(*net.TCPAddr).IP.String(); got != "192.0.2.200" {
		t.Errorf("local address %s", got)
	}
	_ = c.Close()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for address, want := range map[string]error{
		"192.0.2.9:25":       syscall.ECONNREFUSED,
		"127.0.0.1:25":       syscall.ECONNREFUSED,
		"[2001:db8:1::1]:25": syscall.ENETUNREACH,
		"192.0.2.1:25":       context.Canceled,
	} {
		if _, err := s.DialContext(cancelled, "tcp", address); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", address, err, want)
		}
	}
	for _, bad := range [][2]string{{"udp", at.String()}, {"tcp", "mx.modern.test:25"}} {
		if _, err := s.DialContext(t.Context(), bad[0], bad[1]); err == nil {
			t.Errorf("%v was dialled", bad)
		}
	}
}
