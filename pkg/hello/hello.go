package hello

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// Hello is a ClientHello. The zero value offers nothing; New makes one that is worth sending.
type Hello struct {
	// Max is the newest version offered; SSL3 makes a hello without extensions.
	Max tlsnames.Version
	// Min is the oldest version offered. Servers that do not know the extension
	// supported_versions take a hello for TLS 1.2 or older as one for everything up to Max
	// (RFC 5246 §E.1).
	Min        tlsnames.Version
	Suites     []tlsnames.Suite
	Groups     []tlsnames.Group
	ServerName string // for server_name; "" or an IP address: none
	// Random is the client's 32 octets and, for TLS 1.3, what its session ID is made from.
	// They need not be secret, since no keys are derived from them.
	Random [32]byte
	// Fallback adds TLS_FALLBACK_SCSV (RFC 7507): a server that could do better than Max
	// answers with the alert inappropriate_fallback.
	Fallback bool
}

// New is a hello that offers everything known of a version and of those below it: all suites
// and groups, those that sendctl's own TLS can use first.
func New(newest tlsnames.Version, serverName string, random [32]byte) Hello {
	h := Hello{Max: newest, Min: tlsnames.TLS10, ServerName: serverName, Random: random, Groups: tlsnames.KnownGroups()}
	switch newest {
	case SSL3:
		h.Suites = tlsnames.KnownSuites(tlsnames.TLS10)
	case tlsnames.TLS13:
		h.Suites = slices.Concat(tlsnames.KnownSuites(tlsnames.TLS13), tlsnames.KnownSuites(tlsnames.TLS12))
	default:
		h.Suites = tlsnames.KnownSuites(newest)
	}
	return h
}

// UsableOnly is the hello with only those suites and groups that sendctl's own TLS can use.
func (h Hello) UsableOnly() Hello {
	h.Suites = slices.DeleteFunc(slices.Clone(h.Suites), func(s tlsnames.Suite) bool { return !s.Usable() })
	h.Groups = slices.DeleteFunc(slices.Clone(h.Groups), func(g tlsnames.Group) bool { return !g.Usable() })
	return h
}

const (
	recordAlert     = 21
	recordHandshake = 22

	messageClientHello = 1
	messageServerHello = 2
	messageServerKeys  = 12
	messageServerDone  = 14

	extServerName          = 0
	extSupportedGroups     = 10
	extPointFormats        = 11
	extSignatureAlgorithms = 13
	extExtendedMaster      = 23
	extSupportedVersions   = 43
	extPSKModes            = 45
	extKeyShare            = 51

	suiteFallback      = 0x5600 // RFC 7507 §2
	suiteRenegotiation = 0x00ff // RFC 5746 §3.3
)

// Bytes is the hello on the wire: one handshake message in one record.
func (h Hello) Bytes() []byte {
	legacy := min(h.Max, tlsnames.TLS12)
	var m []byte
	m = append(m, messageClientHello, 0, 0, 0)
	m = binary.BigEndian.AppendUint16(m, uint16(legacy))
	m = append(m, h.Random[:]...)
	m = vector8(m, func(b []byte) []byte {
		if h.Max < tlsnames.TLS13 {
			return b
		}
		// RFC 8446 §D.4: a session ID lets the hello pass boxes that know TLS 1.2 only.
		for _, o := range h.Random {
			b = append(b, ^o)
		}
		return b
	})
	m = vector16(m, func(b []byte) []byte {
		for _, s := range h.Suites {
			b = binary.BigEndian.AppendUint16(b, uint16(s))
		}
		if h.Max < tlsnames.TLS13 || h.Min < tlsnames.TLS13 {
			b = binary.BigEndian.AppendUint16(b, suiteRenegotiation)
		}
		if h.Fallback {
			b = binary.BigEndian.AppendUint16(b, suiteFallback)
		}
		return b
	})
	m = append(m, 1, 0) // compression: none
	if h.Max >= tlsnames.TLS10 {
		m = vector16(m, h.extensions)
	}
	n := len(m) - 4
	m[1], m[2], m[3] = byte(n>>16), byte(n>>8), byte(n)
	// RFC 8446 §5.1, RFC 5246 §E.1: the first record says the oldest version that one speaks.
	first := min(legacy, tlsnames.TLS10)
	out := []byte{recordHandshake, byte(first >> 8), byte(first)}
	out = binary.BigEndian.AppendUint16(out, uint16(len(m)))
	return append(out, m...)
}

func (h Hello) extensions(b []byte) []byte {
	if _, err := netip.ParseAddr(h.ServerName); err != nil && h.ServerName != "" {
		b = extension(b, extServerName, func(b []byte) []byte { // RFC 6066 §3
			return vector16(b, func(b []byte) []byte {
				b = append(b, 0) // host_name
				return vector16(b, func(b []byte) []byte { return append(b, h.ServerName...) })
			})
		})
	}
	if len(h.Groups) > 0 {
		b = extension(b, extSupportedGroups, func(b []byte) []byte { // RFC 8422 §5.1.1
			return vector16(b, func(b []byte) []byte {
				for _, g := range h.Groups {
					b = binary.BigEndian.AppendUint16(b, uint16(g))
				}
				return b
			})
		})
		b = extension(b, extPointFormats, func(b []byte) []byte { return append(b, 1, 0) })
	}
	b = extension(b, extExtendedMaster, func(b []byte) []byte { return b }) // RFC 7627 §5.1
	if h.Max >= tlsnames.TLS12 {
		b = extension(b, extSignatureAlgorithms, signatureAlgorithms)
	}
	// RFC 8446 §4.2.1 allows it to older hellos, too. There it is for servers that lack a version
	// between two that they have: without it GnuTLS refuses a hello for the one that it lacks.
	b = extension(b, extSupportedVersions, func(b []byte) []byte {
		return vector8(b, func(b []byte) []byte {
			for v := h.Max; v >= max(h.Min, tlsnames.TLS10); v-- {
				b = binary.BigEndian.AppendUint16(b, uint16(v))
			}
			return b
		})
	})
	if h.Max < tlsnames.TLS13 {
		return b
	}
	b = extension(b, extPSKModes, func(b []byte) []byte { return append(b, 1, 1) })
	return extension(b, extKeyShare, func(b []byte) []byte { return append(b, 0, 0) }) // an empty list
}

// signatureAlgorithms is every scheme that a certificate of a mail host might need (RFC 8446
// §4.2.3, RFC 5246 §7.4.1.4.1): with one left out, the server's answer would be about that.
func signatureAlgorithms(b []byte) []byte {
	schemes := [...]uint16{
		0x0403, 0x0503, 0x0603, 0x0807, 0x0808, // ECDSA with P-256, P-384 and P-521; Ed25519, Ed448
		0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, // RSA-PSS
		0x0401, 0x0501, 0x0601, 0x0301, 0x0303, // RSA PKCS #1, SHA-224
		0x081a, 0x081b, 0x081c, // ECDSA with Brainpool curves
		0x0402, 0x0502, 0x0602, 0x0302, // DSA
		0x0203, 0x0201, 0x0202, 0x0101, // SHA-1, MD5
		0x0904, 0x0905, 0x0906, // ML-DSA
	}
	return vector16(b, func(b []byte) []byte {
		for _, s := range schemes {
			b = binary.BigEndian.AppendUint16(b, s)
		}
		return b
	})
}

func extension(b []byte, kind uint16, body func([]byte) []byte) []byte {
	return vector16(binary.BigEndian.AppendUint16(b, kind), body)
}

// vector16 appends what body appends, with its length in two octets before it.
func vector16(b []byte, body func([]byte) []byte) []byte {
	at := len(b)
	b = body(append(b, 0, 0))
	binary.BigEndian.PutUint16(b[at:], uint16(len(b)-at-2))
	return b
}

// vector8 appends what body appends, with its length in one octet before it.
func vector8(b []byte, body func([]byte) []byte) []byte {
	at := len(b)
	b = body(append(b, 0))
	b[at] = byte(len(b) - at - 1)
	return b
}

// Goodbye ends a handshake that was begun for the answer alone: the alerts user_canceled and
// close_notify (RFC 8446 §6.1), under the version that the server chose.
func Goodbye(v tlsnames.Version) []byte {
	v = max(min(v, tlsnames.TLS12), SSL3)
	hi, lo := byte(v>>8), byte(v)
	return []byte{recordAlert, hi, lo, 0, 2, 1, 90, recordAlert, hi, lo, 0, 2, 1, 0}
}
