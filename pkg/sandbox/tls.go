package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"slices"
)

// tlsConfig is the host's side of a handshake.
func (s *Server) tlsConfig() *tls.Config {
	t := &s.host.TLS
	config := &tls.Config{
		MinVersion:             tls.VersionTLS12,
		MaxVersion:             tls.VersionTLS13,
		CipherSuites:           t.CipherSuites,
		CurvePreferences:       t.Curves,
		ClientAuth:             t.ClientAuth,
		ClientCAs:              t.ClientCAs,
		SessionTicketsDisabled: t.NoTickets || t.After != Nothing,
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if t.Custom != nil {
				return t.Custom(s.authority, h)
			}
			return s.certificate()
		},
	}
	if t.Min != 0 {
		config.MinVersion = t.Min
	}
	if t.Max != 0 {
		config.MaxVersion = t.Max
	}
	config.MinVersion = min(config.MinVersion, config.MaxVersion)
	if config.CipherSuites == nil {
		// Go's default leaves out what old clients need, so the list is always explicit.
		config.CipherSuites = suites(config.MinVersion < tls.VersionTLS12)
	}
	// Every handshake has a clone of this: without a key set here each would have tickets of its own.
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	config.SetSessionTicketKeys([][32]byte{key})
	return config
}

// suites are the numbers of Go's cipher suites, those it deems insecure too if legacy.
func suites(legacy bool) []uint16 {
	var ids []uint16
	for _, c := range tls.CipherSuites() {
		ids = append(ids, c.ID)
	}
	if legacy {
		for _, c := range tls.InsecureCipherSuites() {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// startTLS is the STARTTLS command (RFC 3207 §4) and the handshake.
func (c *session) startTLS(arg string, a *Action) bool {
	r := reply{220, "2.0.0", "ready to start TLS"}
	switch {
	case c.server.host.NoSTARTTLS:
		r = reply{502, "5.5.1", "not implemented"}
	case c.tls != nil:
		r = reply{503, "5.5.1", "already in TLS"}
	case arg != "":
		r = reply{501, "5.5.4", "STARTTLS takes no argument"}
	}
	if !c.answer(a, r, nil) || c.w.Flush() != nil {
		return false
	}
	if a != nil && !a.says("220") || a == nil && r.code != 220 {
		return true
	}
	// RFC 3207 §5: what came behind the command in clear must not be used.
	if n := c.r.Buffered(); n > 0 {
		_, _ = c.r.Discard(n)
	}
	return c.handshake()
}

// handshake makes the session one inside TLS.
func (c *session) handshake() bool {
	var keys bytes.Buffer
	before := c.wire.read
	config := c.server.config.Clone()
	config.GetConfigForClient = func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		h := Hello{ClientHelloInfo: info, Size: c.wire.read - before}
		c.server.record.note(func() { c.seen.Hello = helloOf(h) })
		if f := c.server.host.TLS.Hello; f != nil {
			if a := f(h); a != nil {
				c.wire.do(a)
				return nil, errCut
			}
		}
		if c.server.host.TLS.After == Nothing {
			return nil, nil
		}
		logging := config.Clone()
		logging.GetConfigForClient, logging.KeyLogWriter = nil, &keys
		return logging, nil
	}
	c.wire.handshake = true
	conn := tls.Server(c.wire, config)
	err := conn.HandshakeContext(context.Background()) // Server.Close ends it by closing the connection
	c.wire.handshake = false
	if err != nil {
		c.server.record.note(func() { c.seen.HandshakeError = err.Error() })
		// Reading on shows what the client sends after a failure: it must not be mail.
		c.wire.end(HalfClose, c.wire)
		return false
	}
	c.wire.secured = true
	c.tls = conn
	facts := factsOf(conn.ConnectionState())
	c.server.record.note(func() { c.seen.TLS = facts })
	if c.server.host.TLS.After != Nothing {
		if err := c.nuisance(keys.Bytes()); err != nil {
			c.server.record.note(func() { c.seen.HandshakeError = err.Error() })
		}
		return false
	}
	c.r = bufio.NewReaderSize(conn, readAhead)
	c.w = bufio.NewWriter(conn)
	// RFC 3207 §4.2: everything learnt before is forgotten.
	c.ehlo, c.extended = "", false
	c.reset()
	return true
}

// HelloLimit answers a ClientHello of more than size octets with the action: the servers and middleboxes
// that choke on a post-quantum hello.
func HelloLimit(size int, a *Action) func(Hello) *Action {
	return func(h Hello) *Action {
		if h.Size > size {
			return a
		}
		return nil
	}
}

// Intolerant answers a ClientHello that offers the version with the action.
func Intolerant(version uint16, a *Action) func(Hello) *Action {
	return func(h Hello) *Action {
		if slices.Contains(h.SupportedVersions, version) {
			return a
		}
		return nil
	}
}

// Always answers every ClientHello with the action.
func Always(a *Action) func(Hello) *Action {
	return func(Hello) *Action { return a }
}

// Alert is a fatal TLS alert in a record of its own, in clear (RFC 8446 §6), and the end of the connection.
func Alert(description byte) *Action {
	return Raw(string([]byte{21, 3, 3, 0, 2, 2, description})).Then(Close)
}

// Garbage is what no TLS stack sends, and the end of the connection.
func Garbage() *Action {
	return Raw("\x8f\x00\xfe\x13\x37 this is not TLS \x00\xff\xee\xdd").Then(Close)
}

// ServerHello is a minimal ServerHello of that version and cipher suite (RFC 5246 §7.4.1.3), whatever the client
// offered: a downgrade. The host says no more and reads on.
func ServerHello(version, suite uint16) *Action {
	hello := []byte{22, 3, 1, 0, 42, 2, 0, 0, 38, byte(version >> 8), byte(version)}
	hello = append(hello, make([]byte, 32)...) // random
	hello = append(hello, 0, byte(suite>>8), byte(suite), 0)
	return Raw(string(hello)).Then(Stall)
}
