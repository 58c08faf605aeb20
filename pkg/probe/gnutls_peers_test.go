//go:build peers

package probe_test

import (
	"context"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// gnutlsServ runs gnutls-serv with a priority string. Inside TLS it says what it was told, which
// is no answer to EHLO: what the handshake showed remains.
func gnutlsServ(t *testing.T, dir, priority string, args ...string) string {
	t.Helper()
	addr := freeAddress(t)
	_, port, _ := net.SplitHostPort(addr)
	args = append([]string{"--echo", "--port", port, "--priority", priority,
		"--x509certfile", dir + "/cert.pem", "--x509keyfile", dir + "/key.pem"}, args...)
	var said strings.Builder
	c := exec.CommandContext(context.WithoutCancel(t.Context()), "gnutls-serv", args...)
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	listening(t, addr)
	return addr
}

// GnuTLS says the alert handshake_failure where only the version is not shared, and has groups
// and suites of its own. What its priority string says is what the probe says.
func TestGnuTLS(t *testing.T) {
	if _, err := exec.LookPath("gnutls-serv"); err != nil {
		absent(t, "gnutls-serv is not installed (gnutls-bin)")
	}
	const old = "NORMAL:%COMPAT:+SHA1:+SIGN-ALL:+SIGN-RSA-SHA1:-VERS-ALL:"
	for name, tt := range map[string]struct {
		priority string
		args     []string
		want     string
		client   bool
	}{
		"1.0 to 1.3":              {priority: old + "+VERS-TLS1.0:+VERS-TLS1.1:+VERS-TLS1.2:+VERS-TLS1.3", want: "yyyy"},
		"1.2 and 1.3":             {priority: "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3", want: "nnyy"},
		"1.2":                     {priority: "NORMAL:-VERS-ALL:+VERS-TLS1.2", want: "nnyn"},
		"1.3":                     {priority: "NORMAL:-VERS-ALL:+VERS-TLS1.3", want: "nnny"},
		"1.0 and 1.1":             {priority: old + "+VERS-TLS1.0:+VERS-TLS1.1", want: "yynn"},
		"1.0":                     {priority: old + "+VERS-TLS1.0", want: "ynnn"},
		"1.1 and 1.2":             {priority: old + "+VERS-TLS1.1:+VERS-TLS1.2", want: "nyyn"},
		"1.0 and 1.2":             {priority: old + "+VERS-TLS1.0:+VERS-TLS1.2", want: "ynyn"},
		"DHE, 1.2":                {priority: "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA", want: "nnun"},
		"DHE, 1.0 to 1.2":         {priority: old + "+VERS-TLS1.0:+VERS-TLS1.1:+VERS-TLS1.2:-KX-ALL:+DHE-RSA", want: "uuun"},
		"DHE below 1.3":           {priority: old + "+VERS-TLS1.2:+VERS-TLS1.3:-KX-ALL:+DHE-RSA", want: "nnuy"},
		"DHE first":               {priority: old + "+VERS-TLS1.0:+VERS-TLS1.1:+VERS-TLS1.2:-KX-ALL:+DHE-RSA:+ECDHE-RSA:%SERVER_PRECEDENCE", want: "yyyn"},
		"ffdhe group, 1.3":        {priority: "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-FFDHE2048", want: "nnnu"},
		"client certificate, 1.2": {priority: "NORMAL:-VERS-ALL:+VERS-TLS1.2", args: []string{"--require-client-cert"}, want: "nnyn", client: true},
		"client certificate, 1.3": {priority: "NORMAL:-VERS-ALL:+VERS-TLS1.3", args: []string{"--require-client-cert"}, want: "nnny", client: true},
		"client certificate":      {priority: "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3", args: []string{"--require-client-cert"}, want: "nnyy", client: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := splice(t, gnutlsServ(t, selfSigned(t, "-newkey", "rsa:2048"), tt.priority, tt.args...))
			w := oneHost(t, sandbox.Host{}, func(p *probe.Config, _ *courier.Config) {
				p.Session.Timeouts.Handshake, p.Session.Timeouts.Command = 5*time.Second, 5*time.Second
				p.Dial = probe.NewLimiter(func(ctx context.Context, _ netip.Addr, _ netip.AddrPort) (net.Conn, error) {
					var d net.Dialer
					return d.DialContext(ctx, "tcp", host)
				}, time.Minute).Dial
			})
			m := w.ask(t, "example.test").MX[0]
			if got := versions(m); got != tt.want || m.ClientCert != tt.client || m.Connections > 4 {
				t.Errorf("%s by %d connections, client certificate %v, want %s, %v; best %+v, %+v",
					got, m.Connections, m.ClientCert, tt.want, tt.client, m.Best, m.Evidence)
			}
			t.Logf("%s by %d connections", versions(m), m.Connections)
		})
	}
}
