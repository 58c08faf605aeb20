// Package hello writes ClientHellos and reads what servers answer first, without a TLS stack.
//
// A TLS library shows a server only what the library itself can do. The prober wants to know
// what the server can do, so it writes its own ClientHello: Hello says which versions, suites
// and groups it offers, Hello.Bytes is what goes on the wire, and a Reader takes the answer
// from a stream of octets however that is split:
//
//	conn.Write(h.Bytes())
//	var r hello.Reader
//	for done := false; !done; {
//		n, err := conn.Read(buf)
//		done, err = r.Feed(buf[:n])
//	}
//	r.Answer()
//
// No keys are made: a ClientHello of TLS 1.3 has an empty list of key shares, so that the
// server answers with a HelloRetryRequest, which names its suite and the group that it prefers
// (RFC 8446 §4.1.4, §4.2.8), post-quantum ones too. Before TLS 1.3 the group stands in
// ServerKeyExchange, to which a Reader reads on if it is asked to; else what follows a ServerHello
// is not read. The prober then says Goodbye and closes.
//
// SSLv2 and SSLv3 have hellos of their own, for nobody else here speaks them.
package hello

import "github.com/sendctl/sendctl/pkg/tlsnames"

// Versions older than TLS, as they stand on the wire: to be asked about, never to be used.
const (
	SSL2 tlsnames.Version = 0x0002
	SSL3 tlsnames.Version = 0x0300
)

// VersionName is the version's name, those of the two that are no TLS among them.
func VersionName(v tlsnames.Version) string {
	switch v {
	case SSL2:
		return "SSLv2"
	case SSL3:
		return "SSLv3"
	}
	return v.String()
}
