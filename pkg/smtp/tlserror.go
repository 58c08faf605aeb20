package smtp

import (
	"reflect"
	"strings"

	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// alertNumber reads the number out of crypto/tls's unexported alert type, a uint8.
func alertNumber(err error) (tlsnames.Alert, bool) {
	v := reflect.ValueOf(err)
	if !v.IsValid() || v.Kind() != reflect.Uint8 {
		return 0, false
	}
	return tlsnames.Alert(v.Uint()), true
}

// verdict is what our own TLS stack found wrong with the server's side of the handshake.
type verdict struct {
	reason     policy.Reason
	definitive bool
	text       string
}

// localVerdict reads crypto/tls's own complaints. They are plain texts without a type, so
// they are told by their beginnings; a test provokes each of them with a real server, so
// that a change of wording in a Go release is seen.
func localVerdict(err error) verdict {
	text := err.Error()
	for _, v := range []struct {
		prefix string
		verdict
	}{
		{"tls: server selected unsupported protocol version", verdict{policy.TLSVersionMismatch, true, "it chose a TLS version that was not proposed"}},
		{"tls: server chose an unconfigured cipher suite", verdict{policy.TLSCipherMismatch, true, "it chose a cipher suite that was not proposed"}},
		{"tls: failed to parse certificate from server", verdict{policy.TLSHandshakeFailed, true, "its certificate cannot be read"}},
		{"tls: server's certificate contains an unsupported", verdict{policy.TLSHandshakeFailed, true, "its certificate has a key that cannot be used"}},
		{"tls: server sent certificate containing RSA key larger", verdict{policy.TLSHandshakeFailed, true, "its certificate has an RSA key that is too large"}},
		{"tls: received empty certificates message", verdict{policy.TLSHandshakeFailed, true, "it presented no certificate"}},
		// So says TLS 1.2 of a Certificate message that is empty.
		{"tls: received unexpected handshake message of type *tls.certificateMsg when waiting for *tls.certificateMsg",
			verdict{policy.TLSHandshakeFailed, true, "it presented no certificate"}},
	} {
		if strings.HasPrefix(text, v.prefix) {
			v.verdict.text += strings.TrimPrefix(text, v.prefix)
			return v.verdict
		}
	}
	if strings.HasPrefix(text, "tls: invalid signature by the server certificate: crypto/rsa: ") && strings.Contains(text, "keys are insecure") {
		return verdict{policy.TLSHandshakeFailed, true, "its certificate has an RSA key that is too small"}
	}
	return verdict{}
}
