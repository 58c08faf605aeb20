package route

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/sendctl/sendctl/pkg/mail"
)

// The message is taken apart here rather than by dns.Msg, which throws the whole answer
// away for one bad record: a broken TLSA or MX record must cost that record only.

const headerLen = 12 // RFC 1035 §4.1.1

var (
	errShort    = errors.New("message ends too early")
	errQuestion = errors.New("message does not ask one question")
)

// message is what matters of one DNS message.
type message struct {
	id                                                       uint16
	response, truncated, authoritative, recursion, authentic bool
	opcode, rcode                                            int
	asked                                                    question // zero where the message repeats none
	answers, authority                                       []record
	why                                                      string // the extended errors (RFC 8914), cleaned
	bogus                                                    bool   // one of them blames DNSSEC
}

// record is one resource record of class IN. data is nil where the rdata are malformed or
// of a type that no one here asks for; else it is a netip.Addr (A, AAAA), an mx, a string
// (CNAME, PTR: a name in presentation form; TXT: raw bytes), a TLSA or a soa.
type record struct {
	owner string // presentation form, lower case, with the final dot
	typ   uint16
	ttl   uint32 // seconds
	data  any
}

type mx struct {
	preference uint16
	name       string
}

// soa is the MINIMUM field, the lifetime of a negative answer (RFC 2308 §4), in seconds.
type soa uint32

// parseMessage reads a message from the wire. Of a truncated one it reads header and
// question alone, for what follows may be cut anywhere.
func parseMessage(b []byte) (message, error) {
	if len(b) < headerLen {
		return message{}, errShort
	}
	bits := binary.BigEndian.Uint16(b[2:])
	m := message{
		id:            binary.BigEndian.Uint16(b),
		response:      bits&(1<<15) != 0,
		opcode:        int(bits >> 11 & 0xf),
		authoritative: bits&(1<<10) != 0,
		truncated:     bits&(1<<9) != 0,
		recursion:     bits&(1<<7) != 0,
		authentic:     bits&(1<<5) != 0, // RFC 4035 §3.2.3
		rcode:         int(bits & 0xf),
	}
	count := func(i int) int { return int(binary.BigEndian.Uint16(b[4+2*i:])) }
	off, err := m.readQuestion(b, count(0))
	if err != nil || m.truncated {
		return m, err
	}
	if m.answers, off, err = readRecords(b, off, count(1)); err != nil {
		return m, err
	}
	if m.authority, off, err = readRecords(b, off, count(2)); err != nil {
		return m, err
	}
	return m, m.readAdditional(b, off, count(3))
}

func (m *message) readQuestion(b []byte, n int) (int, error) {
	if n == 0 {
		return headerLen, nil
	}
	if n > 1 {
		return 0, errQuestion
	}
	name, off, err := dns.UnpackDomainName(b, headerLen)
	if err != nil {
		return 0, err
	}
	if off+4 > len(b) {
		return 0, errShort
	}
	if binary.BigEndian.Uint16(b[off+2:]) != dns.ClassINET {
		return 0, errQuestion
	}
	m.asked = question{lower(name), binary.BigEndian.Uint16(b[off:])}
	return off + 4, nil
}

// envelope is a resource record before its rdata are understood.
type envelope struct {
	owner      string
	typ, class uint16
	ttl        uint32
	start, end int // of the rdata
}

func readEnvelope(b []byte, off int) (envelope, error) {
	owner, off, err := dns.UnpackDomainName(b, off)
	if err != nil {
		return envelope{}, err
	}
	if off+10 > len(b) {
		return envelope{}, errShort
	}
	e := envelope{
		owner: lower(owner),
		typ:   binary.BigEndian.Uint16(b[off:]),
		class: binary.BigEndian.Uint16(b[off+2:]),
		ttl:   binary.BigEndian.Uint32(b[off+4:]),
		start: off + 10,
	}
	e.end = e.start + int(binary.BigEndian.Uint16(b[off+8:]))
	if e.end > len(b) {
		return envelope{}, errShort
	}
	return e, nil
}

// readRecords reads n records from off and returns where they end. n is the stranger's
// word, so nothing is allocated on it.
func readRecords(b []byte, off, n int) ([]record, int, error) {
	var records []record
	for range n {
		e, err := readEnvelope(b, off)
		if err != nil {
			return nil, 0, err
		}
		off = e.end
		if e.class != dns.ClassINET {
			continue
		}
		if e.ttl > 1<<31-1 {
			e.ttl = 0 // RFC 2181 §8
		}
		records = append(records, record{e.owner, e.typ, e.ttl, decode(b, e)})
	}
	return records, off, nil
}

func decode(b []byte, e envelope) any {
	rdata := b[e.start:e.end]
	switch e.typ {
	case dns.TypeA:
		if len(rdata) == 4 {
			return netip.AddrFrom4([4]byte(rdata))
		}
	case dns.TypeAAAA:
		if len(rdata) == 16 {
			return netip.AddrFrom16([16]byte(rdata)).Unmap()
		}
	case dns.TypeMX:
		// Of rdata shorter than the preference the name cannot be read either.
		if name, ok := decodeName(b, e.start+2, e.end); ok {
			return mx{binary.BigEndian.Uint16(rdata), name}
		}
	case dns.TypeCNAME, dns.TypePTR:
		if name, ok := decodeName(b, e.start, e.end); ok {
			return name
		}
	case dns.TypeTXT:
		if text, ok := decodeText(rdata); ok {
			return text
		}
	case dns.TypeTLSA:
		if t, ok := decodeTLSA(rdata); ok {
			return t
		}
	case dns.TypeSOA:
		if len(rdata) > 4 {
			return soa(binary.BigEndian.Uint32(rdata[len(rdata)-4:]))
		}
	}
	return nil
}

// decodeName reads a name that fills b from start to end. Pointers may lead backwards only.
func decodeName(b []byte, start, end int) (string, bool) {
	name, off, err := dns.UnpackDomainName(b[:end], start)
	return lower(name), err == nil && off == end
}

// decodeText joins the character strings of a TXT record without anything between them
// (RFC 7208 §3.3, RFC 8461 §3.1).
func decodeText(rdata []byte) (string, bool) {
	var text strings.Builder
	for len(rdata) > 0 {
		n := int(rdata[0])
		if len(rdata) < 1+n {
			return "", false
		}
		text.Write(rdata[1 : 1+n])
		rdata = rdata[1+n:]
	}
	return text.String(), true
}

// decodeTLSA refuses rdata too short to hold a certificate association and digests whose
// length is not that of their kind (RFC 6698 §2.1.3).
func decodeTLSA(rdata []byte) (TLSA, bool) {
	if len(rdata) < 4 {
		return TLSA{}, false
	}
	t := TLSA{Usage: rdata[0], Selector: rdata[1], MatchingType: rdata[2], Data: append([]byte(nil), rdata[3:]...)}
	switch t.MatchingType {
	case 1:
		return t, len(t.Data) == 32
	case 2:
		return t, len(t.Data) == 64
	}
	return t, true
}

// readAdditional looks for EDNS0 alone: the upper bits of the rcode and extended errors.
func (m *message) readAdditional(b []byte, off, n int) error {
	for range n {
		e, err := readEnvelope(b, off)
		if err != nil {
			return err
		}
		off = e.end
		if e.typ == dns.TypeOPT && e.owner == "." {
			m.rcode |= int(e.ttl>>24) << 4 // RFC 6891 §6.1.3
			m.readOptions(b[e.start:e.end])
		}
	}
	return nil
}

func (m *message) readOptions(rdata []byte) {
	for len(rdata) >= 4 {
		code, n := binary.BigEndian.Uint16(rdata), int(binary.BigEndian.Uint16(rdata[2:]))
		rdata = rdata[4:]
		if n > len(rdata) {
			return
		}
		if code == dns.EDNS0EDE && n >= 2 {
			m.addExtendedError(binary.BigEndian.Uint16(rdata), string(rdata[2:n]))
		}
		rdata = rdata[n:]
	}
}

func (m *message) addExtendedError(code uint16, text string) {
	if isBogus(code) {
		m.bogus = true
	}
	why := dns.ExtendedErrorCodeToString[code]
	if text != "" {
		why = strings.TrimPrefix(why+": "+text, ": ")
	}
	if why != "" && m.why == "" {
		m.why = mail.Clean(why)
	}
}

// isBogus tells the extended errors that say that data are there but do not validate
// (RFC 8914 §4.7 to §4.13).
func isBogus(code uint16) bool {
	return code >= dns.ExtendedErrorCodeDNSBogus && code <= dns.ExtendedErrorCodeNSECMissing ||
		code == dns.ExtendedErrorCodeSignatureExpiredBeforeValid
}

// lower folds ASCII letters only, as RFC 4343 §3 has it. Names are in presentation form,
// where every other byte is an escape.
func lower(name string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}
