//go:build peers

package probe_test

import (
	"context"
	"io"
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

// sServer runs openssl s_server. Inside TLS it answers nothing by itself: what it is told by
// its standard input is what it says, an EHLO's reply and QUIT's.
func sServer(t *testing.T, dir string, args ...string) string {
	t.Helper()
	addr := freeAddress(t)
	args = append([]string{"s_server", "-accept", addr, "-cert", dir + "/cert.pem", "-key", dir + "/key.pem", "-quiet", "-naccept", "100"}, args...)
	c := exec.CommandContext(context.WithoutCancel(t.Context()), "openssl", args...)
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		close(done)
		_ = stdin.Close()
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	listening(t, addr)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				_, _ = io.WriteString(stdin, "250 mx.example.test\r\n")
			}
		}
	}()
	return addr
}

// OpenSSL has what Go has not: DHE, CCM, Camellia, other curves. What it is set to is what the
// probe says, and where sendctl could not use it, that.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		absent(t, "openssl is not installed")
	}
	rsa, ec := []string{"-newkey", "rsa:2048"}, []string{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"}
	all := "ALL:@SECLEVEL=0"
	for name, tt := range map[string]struct {
		key  []string
		args []string
		want string
	}{
		"all":                     {rsa, []string{"-cipher", all, "-min_protocol", "TLSv1"}, "yyyy"},
		"1.2 and 1.3":             {rsa, []string{"-min_protocol", "TLSv1.2"}, "nnyy"},
		"1.3":                     {rsa, []string{"-min_protocol", "TLSv1.3"}, "nnny"},
		"1.2":                     {rsa, []string{"-tls1_2"}, "nnyn"},
		"1.0":                     {rsa, []string{"-tls1", "-cipher", all}, "ynnn"},
		"1.0 and 1.1":             {rsa, []string{"-min_protocol", "TLSv1", "-max_protocol", "TLSv1.1", "-cipher", all}, "yynn"},
		"1.0 and 1.2":             {rsa, []string{"-min_protocol", "TLSv1", "-no_tls1_1", "-no_tls1_3", "-cipher", all}, "ynyn"},
		"DHE, 1.2":                {rsa, []string{"-tls1_2", "-cipher", "DHE"}, "nnun"},
		"DHE, 1.0 to 1.2":         {rsa, []string{"-min_protocol", "TLSv1", "-no_tls1_3", "-cipher", "DHE:@SECLEVEL=0"}, "uuun"},
		"Camellia, 1.2":           {rsa, []string{"-tls1_2", "-cipher", "CAMELLIA:!PSK:!aNULL"}, "nnun"},
		"CCM, 1.3":                {rsa, []string{"-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"}, "nnnu"},
		"own order, DHE first":    {rsa, []string{"-tls1_2", "-serverpref", "-cipher", "DHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256"}, "nnyn"},
		"brainpool key, 1.2":      {ec, []string{"-tls1_2"}, "nnun"},
		"RSA key exchange":        {rsa, []string{"-tls1_2", "-cipher", "AES128-SHA"}, "nnyn"},
		"CBC with SHA-256":        {rsa, []string{"-tls1_2", "-cipher", "AES256-SHA256"}, "nnun"},
		"client certificate, 1.2": {rsa, []string{"-tls1_2", "-Verify", "1", "-verify_return_error"}, "nnyn"},
		"client certificate, 1.3": {rsa, []string{"-tls1_3", "-Verify", "1", "-verify_return_error"}, "nnny"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := splice(t, sServer(t, selfSigned(t, tt.key...), tt.args...))
			w := oneHost(t, sandbox.Host{}, func(p *probe.Config, _ *courier.Config) {
				p.Session.Timeouts.Handshake, p.Session.Timeouts.Command = 5*time.Second, 5*time.Second
				p.Dial = probe.NewLimiter(func(ctx context.Context, _ netip.Addr, _ netip.AddrPort) (net.Conn, error) {
					var d net.Dialer
					return d.DialContext(ctx, "tcp", host)
				}, time.Minute).Dial
			})
			began := time.Now()
			m := w.ask(t, "example.test").MX[0]
			if got := versions(m); got != tt.want {
				t.Errorf("%s by %d connections, want %s; best %+v, %+v", got, m.Connections, tt.want, m.Best, m.Evidence)
			}
			t.Logf("%s by %d connections in %s", versions(m), m.Connections, time.Since(began).Round(time.Millisecond))
		})
	}
}
