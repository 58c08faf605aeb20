//go:build peers

package probe_test

import (
	"context"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// --deep finds the groups that OpenSSL is set to, before TLS 1.3 too, where an elliptic curve's
// certificate needs its own curve on offer.
func TestGroupsOfOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		absent(t, "openssl is not installed")
	}
	rsa, ec := []string{"-newkey", "rsa:2048"}, []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"}
	for name, tt := range map[string]struct {
		key   []string
		args  []string
		older string // sorted, as the server may follow its client
		newer string
	}{
		"RSA":            {rsa, []string{"-groups", "X25519:P-256:P-521"}, "secp256r1 secp521r1 x25519", "secp256r1 secp521r1 x25519"},
		"ECDSA":          {ec, []string{"-groups", "P-384:P-256:X448"}, "secp256r1 secp384r1 x448", "secp256r1 secp384r1 x448"},
		"1.2, brainpool": {rsa, []string{"-tls1_2", "-groups", "brainpoolP256r1:P-256"}, "brainpoolP256r1 secp256r1", ""},
		"1.0":            {rsa, []string{"-tls1", "-cipher", "ALL:@SECLEVEL=0", "-groups", "P-256:P-384"}, "secp256r1 secp384r1", ""},
		"1.2, DHE":       {rsa, []string{"-tls1_2", "-cipher", "DHE"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := splice(t, sServer(t, selfSigned(t, tt.key...), tt.args...))
			w := oneHost(t, sandbox.Host{}, func(p *probe.Config, _ *courier.Config) {
				p.Deep = true
				p.Dial = probe.NewLimiter(func(ctx context.Context, _ netip.Addr, _ netip.AddrPort) (net.Conn, error) {
					var d net.Dialer
					return d.DialContext(ctx, "tcp", host)
				}, time.Minute).Dial
			})
			d := w.ask(t, "example.test").MX[0].Deep
			if d == nil {
				t.Fatal("nothing")
			}
			sorted := func(names []string) string { return strings.Join(slices.Sorted(slices.Values(names)), " ") }
			if sorted(d.OlderGroups) != tt.older || sorted(d.Groups) != tt.newer || !d.Complete {
				t.Errorf("before 1.3: %v, 1.3: %v, complete %v; want %s, %s", d.OlderGroups, d.Groups, d.Complete, tt.older, tt.newer)
			}
		})
	}
}
