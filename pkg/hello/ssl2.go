package hello

// cipherSpecs are the seven of SSLv2 (draft-hickman-netscape-ssl-00 §C.4), three octets each.
const cipherSpecs = "\x01\x00\x80\x02\x00\x80\x03\x00\x80\x04\x00\x80\x05\x00\x80\x06\x00\x40\x07\x00\xc0"

// SSL2Bytes is an SSLv2 CLIENT-HELLO (draft-hickman-netscape-ssl-00 §2.5) that offers nothing
// newer. RFC 6176 forbids SSLv2: an answer is a fault of the server.
func SSL2Bytes(challenge [16]byte) []byte {
	body := []byte{messageClientHello, 0, 2, 0, byte(len(cipherSpecs)), 0, 0, 0, byte(len(challenge))}
	body = append(body, cipherSpecs...)
	body = append(body, challenge[:]...)
	return append([]byte{0x80, byte(len(body))}, body...)
}

// feedSSL2 reads a SERVER-HELLO with a header of two octets.
func (r *Reader) feedSSL2() (bool, error) {
	b := r.in
	if len(b) < 3 {
		return false, nil
	}
	const typeServerHello, fixed = 4, 11
	if b[2] != typeServerHello {
		return false, notTLS(b)
	}
	n := int(b[0]&0x7f)<<8 | int(b[1])
	if n < fixed {
		return false, malformed("an SSLv2 SERVER-HELLO of %d octets", n)
	}
	if len(b) < 2+n {
		return false, nil
	}
	m := b[2 : 2+n]
	certificate, specs, id := int(m[5])<<8|int(m[6]), int(m[7])<<8|int(m[8]), int(m[9])<<8|int(m[10])
	if fixed+certificate+specs+id > n || specs%3 != 0 {
		return false, malformed("an SSLv2 SERVER-HELLO whose parts are longer than itself")
	}
	r.answer = Answer{Kind: ServerHello, Version: SSL2}
	for at := fixed + certificate; at < fixed+certificate+specs; at += 3 {
		r.answer.Specs = append(r.answer.Specs, uint32(m[at])<<16|uint32(m[at+1])<<8|uint32(m[at+2]))
	}
	return true, nil
}
