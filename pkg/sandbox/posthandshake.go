package sandbox

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
)

// Go's server cannot be made to misbehave once a handshake is done. So the host takes the session's keys from
// the key log and writes records of its own, after which Go's side of the session is out of step and unused.

// sealer encrypts the host's own records.
type sealer struct {
	version uint16
	hash    func() hash.Hash
	keyLen  int
	secret  []byte // TLS 1.3: the server's traffic secret
	aead    cipher.AEAD
	iv      []byte
	seq     uint64
}

// nuisance sends what TLS.After asks for and reads on until the peer closes.
func (c *session) nuisance(keys []byte) error {
	defer func() { c.wire.end(Stall, c.wire) }()
	state := c.tls.ConnectionState()
	s, err := newSealer(state.Version, state.CipherSuite)
	if err != nil {
		return err
	}
	if err := s.key(keys, c.wire.random); err != nil {
		return err
	}
	what := c.server.host.TLS.After
	if (what == HelloRequest) != (state.Version == tls.VersionTLS12) {
		return fmt.Errorf("nothing of the kind in %s", tls.VersionName(state.Version))
	}
	for c.server.pause(0) {
		message := []byte{0, 0, 0, 0} // RFC 5246 §7.4.1.1: HelloRequest
		switch what {
		case KeyUpdates:
			message = []byte{24, 0, 0, 1, 0} // RFC 8446 §4.6.3: update_not_requested
		case Tickets:
			// RFC 8446 §4.6.1: lifetime, age_add, nonce, ticket, extensions
			message = []byte{4, 0, 0, 15, 0, 0, 14, 16, 0, 0, 0, 0, 1, 7, 0, 1, 7, 0, 0}
		case HelloRequest, Nothing:
		}
		if _, err := c.wire.Conn.Write(s.seal(message)); err != nil {
			return nil // the peer has had enough
		}
		if what == HelloRequest {
			return nil
		}
		if what == KeyUpdates {
			if s.secret, err = s.expand(s.secret, "traffic upd", s.hash().Size()); err != nil {
				return err
			}
			if err := s.rekey(); err != nil {
				return err
			}
		}
	}
	return nil
}

func newSealer(version, suite uint16) (*sealer, error) {
	name := tls.CipherSuiteName(suite)
	s := &sealer{version: version}
	switch {
	case strings.HasSuffix(name, "AES_128_GCM_SHA256"):
		s.hash, s.keyLen = sha256.New, 16
	case strings.HasSuffix(name, "AES_256_GCM_SHA384"):
		s.hash, s.keyLen = sha512.New384, 32
	default:
		return nil, fmt.Errorf("no AES-GCM suite: %s", name)
	}
	return s, nil
}

// key derives the host's write key from the key log.
func (s *sealer) key(log []byte, serverRandom []byte) error {
	label := "CLIENT_RANDOM"
	if s.version == tls.VersionTLS13 {
		label = "SERVER_TRAFFIC_SECRET_0"
	}
	for line := range bytes.Lines(log) {
		f := strings.Fields(string(line))
		if len(f) != 3 || f[0] != label {
			continue
		}
		clientRandom, err1 := hex.DecodeString(f[1])
		secret, err2 := hex.DecodeString(f[2])
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if s.version == tls.VersionTLS13 {
			s.secret = secret
			return s.rekey()
		}
		// RFC 5246 §6.3: client key, server key, client iv, server iv; AEAD suites have no MAC keys.
		block := s.prf(secret, "key expansion"+string(serverRandom)+string(clientRandom), 2*s.keyLen+2*4)
		s.iv = block[2*s.keyLen+4:]
		s.seq = 1 // Finished was the first
		return s.gcm(block[s.keyLen : 2*s.keyLen])
	}
	return errors.New("the session's keys are not known")
}

// rekey derives key and iv from the traffic secret (RFC 8446 §7.3).
func (s *sealer) rekey() error {
	key, err1 := s.expand(s.secret, "key", s.keyLen)
	iv, err2 := s.expand(s.secret, "iv", 12)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	s.iv, s.seq = iv, 0
	return s.gcm(key)
}

func (s *sealer) gcm(key []byte) error {
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	s.aead, err = cipher.NewGCM(block)
	return err
}

// expand is HKDF-Expand-Label with an empty context (RFC 8446 §7.1).
func (s *sealer) expand(secret []byte, label string, n int) ([]byte, error) {
	label = "tls13 " + label
	info := string([]byte{byte(n >> 8), byte(n), byte(len(label))}) + label + "\x00"
	return hkdf.Expand(s.hash, secret, info, n)
}

// prf is that of TLS 1.2 (RFC 5246 §5).
func (s *sealer) prf(secret []byte, seed string, n int) []byte {
	sum := func(text []byte) []byte {
		m := hmac.New(s.hash, secret)
		m.Write(text)
		return m.Sum(nil)
	}
	var out []byte
	for a := sum([]byte(seed)); len(out) < n; a = sum(a) {
		out = append(out, sum(append(bytes.Clone(a), seed...))...)
	}
	return out[:n]
}

// seal makes a record of a handshake message.
func (s *sealer) seal(message []byte) []byte {
	defer func() { s.seq++ }()
	var seq [8]byte
	binary.BigEndian.PutUint64(seq[:], s.seq)
	if s.version == tls.VersionTLS13 {
		inner := append(bytes.Clone(message), 22) // RFC 8446 §5.2
		head := []byte{23, 3, 3, 0, byte(len(inner) + s.aead.Overhead())}
		nonce := bytes.Clone(s.iv)
		for i, x := range seq {
			nonce[4+i] ^= x
		}
		return s.aead.Seal(head, nonce, inner, head)
	}
	// RFC 5288 §3: the sequence number serves as the explicit part of the nonce.
	head := []byte{22, 3, 3, 0, byte(8 + len(message) + s.aead.Overhead())}
	aad := append(seq[:], 22, 3, 3, 0, byte(len(message)))
	return s.aead.Seal(append(head, seq[:]...), append(bytes.Clone(s.iv), seq[:]...), message, aad)
}
