package sandbox

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// with runs one host, mx.d.test, with that TLS.
func with(t *testing.T, s TLS) *Sandbox {
	t.Helper()
	return serve(t, Host{TLS: s})
}

// TestHandshakeFaults: T8, what a client meets instead of a handshake.
func TestHandshakeFaults(t *testing.T) {
	t.Parallel()
	contains := func(text string) func(error) bool {
		return func(err error) bool { return err != nil && strings.Contains(err.Error(), text) }
	}
	for name, row := range map[string]struct {
		tls TLS
		is  func(error) bool
	}{
		"garbage":       {TLS{Hello: Always(Garbage())}, contains("first record does not look like a TLS handshake")},
		"alert 40":      {TLS{Hello: Always(Alert(40))}, contains("remote error: tls: handshake failure")},
		"alert 80":      {TLS{Hello: Always(Alert(80))}, contains("remote error: tls: internal error")},
		"EOF":           {TLS{Hello: Always(Hang(Close))}, contains("EOF")},
		"reset":         {TLS{Hello: Always(Hang(Reset))}, contains("connection reset")},
		"server hello":  {TLS{Hello: Always(ServerHello(tls.VersionTLS10, tls.TLS_RSA_WITH_AES_128_CBC_SHA))}, contains("unsupported protocol version")}, // T11
		"cut flight":    {TLS{Cut: &HandshakeCut{After: 20, Do: Hang(Close)}}, contains("EOF")},
		"second flight": {TLS{Max: tls.VersionTLS12, Cut: &HandshakeCut{Flights: 1, Do: Alert(51)}}, contains("remote error: tls: error decrypting")},
		"old only":      {TLS{Max: tls.VersionTLS11, Min: tls.VersionTLS10}, contains("remote error: tls: protocol version")},
	} {
		s := with(t, row.tls)
		c := greeted(t, s, "mx.d.test")
		config := c.config()
		config.MinVersion = tls.VersionTLS12
		err := c.startTLS(config)
		if !row.is(err) {
			t.Errorf("%s: %v", name, err)
		}
		_ = c.conn.Close()
		settled(t, s)
		if seen := s.Connections()[0]; seen.HandshakeError == "" || seen.TLS != nil || seen.Hello == nil {
			t.Errorf("%s: seen %+v", name, seen)
		}
	}
}

// TestHandshakeStalls: T8, silence at each flight; and what a client says in clear afterwards is recorded (T21).
func TestHandshakeStalls(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]TLS{
		"at the hello":    {Hello: Always(Hang(Stall))},
		"in a record":     {Cut: &HandshakeCut{After: 3, Do: Hang(Stall)}},
		"at the finished": {Max: tls.VersionTLS12, Cut: &HandshakeCut{Flights: 1, Do: Hang(Stall)}},
	} {
		s := with(t, how)
		c := greeted(t, s, "mx.d.test")
		c.do(220, "STARTTLS")
		plain := c.conn
		if err := plain.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if err := tls.Client(plain, c.config()).HandshakeContext(t.Context()); err == nil {
			t.Errorf("%s: the handshake succeeded", name)
		}
		_ = plain.SetDeadline(time.Now().Add(time.Second))
		c.raw("MAIL FROM:<leak@b.test>\r\n")
		_ = plain.Close()
		settled(t, s)
		if !bytes.Contains(s.Plaintext(), []byte("leak@b.test")) {
			t.Errorf("%s: the leak is not recorded", name)
		}
	}
}

// TestHelloFaults: T10 and the servers that hang on large hellos.
func TestHelloFaults(t *testing.T) {
	t.Parallel()
	s := serve(t, Host{TLS: TLS{Hello: HelloLimit(600, Hang(Close))}}, Host{TLS: TLS{Hello: Intolerant(tls.VersionTLS13, Hang(Close))}})
	for _, host := range []string{"mx1.d.test", "mx2.d.test"} {
		c := greeted(t, s, host)
		if err := c.startTLS(c.config()); !errors.Is(err, io.EOF) {
			t.Errorf("%s, Go's hello: %v", host, err)
		}
		c = greeted(t, s, host)
		config := c.config()
		config.MaxVersion, config.CurvePreferences = tls.VersionTLS12, []tls.CurveID{tls.X25519}
		if err := c.startTLS(config); err != nil {
			t.Errorf("%s, a small hello of TLS 1.2: %v", host, err)
		}
	}
	settledHellos := s.Connections()
	if large, small := settledHellos[0].Hello, settledHellos[1].Hello; large.Size <= 1200 || small.Size > 600 || small.Versions[0] != tlsnames.TLS12 {
		t.Errorf("hellos %+v, %+v", large, small)
	}
}

func TestDripAndRetry(t *testing.T) {
	t.Parallel()
	// S4: each octet of the handshake by itself. And a HelloRetryRequest (T17).
	s := serve(t, Host{TLS: TLS{Drip: time.Microsecond, Curves: []tls.CurveID{tls.CurveP384}}})
	secured(t, s, "mx.d.test").quit()
	settled(t, s)
	seen := s.Connections()[0]
	if seen.TLS.Group != tlsnames.Group(tls.CurveP384) || seen.Hello.Groups[0] == seen.TLS.Group {
		t.Errorf("seen %+v", seen.TLS)
	}
}

// TestResumption: tickets are good for other connections to the host, unless they are off (T16).
func TestResumption(t *testing.T) {
	t.Parallel()
	s := serve(t, Host{}, Host{TLS: TLS{NoTickets: true}})
	for host, want := range map[string]bool{"mx1.d.test": true, "mx2.d.test": false} {
		cache := tls.NewLRUClientSessionCache(1)
		for range 2 {
			c := greeted(t, s, host)
			config := c.config()
			config.ClientSessionCache = cache
			if err := c.startTLS(config); err != nil {
				t.Fatal(err)
			}
			c.do(250, "EHLO client.test")
			c.quit()
		}
		settled(t, s)
		if seen := s.Server(host).Connections(); seen[0].TLS.Resumed || seen[1].TLS.Resumed != want {
			t.Errorf("%s: %+v, %+v", host, seen[0].TLS, seen[1].TLS)
		}
	}
}

// TestClientCertificates: T14, asked for, demanded, and refused.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	elsewhere, err := NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, Host{TLS: TLS{ClientAuth: tls.RequestClientCert}}, Host{TLS: TLS{ClientAuth: tls.RequireAnyClientCert}},
		Host{TLS: TLS{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: elsewhere.Pool()}})
	mine, err := s.Authority().Issue("client.test", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		host string
		cert bool
		ok   bool
	}{{"mx1.d.test", true, true}, {"mx1.d.test", false, true}, {"mx2.d.test", true, true}, {"mx2.d.test", false, false}, {"mx3.d.test", true, false}} {
		c := greeted(t, s, row.host)
		config := c.config()
		if row.cert {
			config.Certificates = []tls.Certificate{*mine}
		}
		// Under TLS 1.3 the refusal comes behind the handshake.
		err := c.startTLS(config)
		if err == nil {
			_, err = io.WriteString(c.conn, "EHLO x\r\n")
		}
		if err == nil {
			_, _, err = c.text.ReadResponse(250)
		}
		if (err == nil) != row.ok {
			t.Errorf("%+v: %v", row, err)
		}
		_ = c.conn.Close()
		settled(t, s)
		if seen := s.Server(row.host).Connections(); row.ok && row.cert && seen[0].TLS.ClientCertificate.Subject.CommonName != "client.test" {
			t.Errorf("%+v: %+v", row, seen[0].TLS)
		}
	}
}

// TestCertificates: T13, the kinds of certificate and a test's own.
func TestCertificates(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	many := func(a *Authority, h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return a.Issue("x.test", func(c *x509.Certificate) {
			c.SerialNumber = big.NewInt(7)
			c.DNSNames = append(bytesNames(100), h.ServerName)
		}, key)
	}
	empty := func(a *Authority, _ *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return &tls.Certificate{PrivateKey: key}, nil
	}
	s := serve(t, Host{TLS: TLS{Certificate: NotYetValid}}, Host{TLS: TLS{Custom: many}}, Host{TLS: TLS{Custom: empty}})
	c := greeted(t, s, "mx1.d.test")
	var invalid x509.CertificateInvalidError
	if err := c.startTLS(c.config()); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("not yet valid: %v", err)
	}
	c = secured(t, s, "mx2.d.test")
	leaf := c.conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	if leaf.SerialNumber.Int64() != 7 || len(leaf.DNSNames) != 101 || !key.PublicKey.Equal(leaf.PublicKey) {
		t.Errorf("custom certificate: %v %v", leaf.SerialNumber, leaf.DNSNames)
	}
	c = greeted(t, s, "mx3.d.test")
	if err := c.startTLS(c.config()); err == nil {
		t.Error("an empty chain was taken")
	}
}

func bytesNames(n int) []string {
	var all []string
	for i := range n {
		all = append(all, "x"+string(rune('a'+i%26))+strings.Repeat("y", i/26)+".test")
	}
	return all
}

// TestCiphers: T12, a host that speaks little.
func TestCiphers(t *testing.T) {
	t.Parallel()
	s := with(t, TLS{Max: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}})
	c := secured(t, s, "mx.d.test")
	c.quit()
	settled(t, s)
	if got := s.Connections()[0].TLS.Cipher; got.String() != "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA" {
		t.Errorf("cipher %s", got)
	}
	c = greeted(t, s, "mx.d.test")
	config := c.config()
	config.CipherSuites = suites(false)[:1]
	config.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	if err := c.startTLS(config); err == nil {
		t.Error("a handshake without a common suite")
	}
}

// TestNuisances: T17, what comes behind the handshake. Go's client must understand the records, and be annoyed.
func TestNuisances(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		after PostHandshake
		max   uint16
		want  string
	}{
		{KeyUpdates, tls.VersionTLS13, "too many non-advancing records"},
		{Tickets, tls.VersionTLS13, "too many non-advancing records"},
		{HelloRequest, tls.VersionTLS12, "no renegotiation"},
		{HelloRequest, tls.VersionTLS13, "EOF"}, // there is none: the host gives up
	} {
		s := with(t, TLS{Max: row.max, After: row.after})
		c := greeted(t, s, "mx.d.test")
		if err := c.startTLS(c.config()); err != nil {
			t.Fatal(err)
		}
		if row.want == "EOF" {
			if err := c.conn.(*tls.Conn).CloseWrite(); err != nil {
				t.Error(err)
			}
			_ = c.conn.Close()
			settled(t, s)
			if got := s.Connections()[0].HandshakeError; !strings.Contains(got, "nothing of the kind") {
				t.Errorf("%+v: %q", row, got)
			}
			continue
		}
		if _, err := c.text.ReadLine(); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%+v: %v", row, err)
		}
		_ = c.conn.Close()
		settled(t, s)
	}
}
