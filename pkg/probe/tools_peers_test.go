//go:build peers

package probe_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// tool is another prober: how it is called, and how its words are read.
type tool struct {
	name string
	args func(host, port string) []string
	read func(out string) string // the four answers, oldest version first
}

// answers reads the four versions by two patterns, %s being the version: yes and no. What
// neither finds is unknown.
func answers(yes, no string, names ...string) func(string) string {
	return func(out string) string {
		got := ""
		for _, n := range names {
			n = regexp.QuoteMeta(n)
			switch {
			case regexp.MustCompile(fmt.Sprintf(yes, n)).MatchString(out):
				got += "y"
			case no != "" && regexp.MustCompile(fmt.Sprintf(no, n)).MatchString(out):
				got += "n"
			default:
				got += "?"
			}
		}
		return got
	}
}

func tools() []tool {
	return []tool{
		{"sslscan", func(host, port string) []string { return []string{"--no-colour", "--starttls-smtp", host + ":" + port} },
			answers(`%s +enabled`, `%s +disabled`, "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")},
		{"nmap", func(host, port string) []string {
			return []string{"-Pn", "-n", "-sV", "--version-intensity", "2", "--script", "ssl-enum-ciphers", "-p", port, host}
		}, answers(`\|   %s:`, ``, "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3")},
		{"testssl", func(host, port string) []string {
			return []string{"-p", "--nodns", "none", "--starttls", "smtp", "--color", "0", "--warnings", "off", host + ":" + port}
		}, answers(` %s +(not offered.*but|offered)`, ` %s +not offered`, "TLS 1", "TLS 1.1", "TLS 1.2", "TLS 1.3")},
	}
}

// compared is a host on which probers are compared, and what is true of it. A host that
// throttles or refuses is rightly told as unknown.
type compared struct {
	name    string
	host    sandbox.Host
	openssl []string // instead of the host: openssl s_server, with these arguments
	truth   string
	// limited is what may be said instead where a host lets nobody ask enough; "" for nothing.
	limited string
	// slow: the host itself takes seconds, or wants to be left alone for some.
	slow bool
}

func comparedHosts() []compared {
	since := func(n int, a *sandbox.Action) sandbox.Script {
		return sandbox.When(func(e sandbox.Event) bool { return e.Verb == sandbox.Connect && e.Connection > n }, a)
	}
	ehlo := "250-mx.example.test\r\n250-SIZE 10240000\r\n250 STARTTLS\r\n"
	return []compared{
		{name: "1.2, 1.3", truth: "nnyy"},
		{name: "1.0 to 1.3", host: sandbox.Host{TLS: sandbox.TLS{Min: tls.VersionTLS10}}, truth: "yyyy"},
		{name: "1.0, 1.1", host: sandbox.Host{TLS: sandbox.TLS{Min: tls.VersionTLS10, Max: tls.VersionTLS11}}, truth: "yynn"},
		{name: "1.2", host: sandbox.Host{TLS: sandbox.TLS{Min: tls.VersionTLS12, Max: tls.VersionTLS12}}, truth: "nnyn"},
		{name: "1.0 to 1.2, DHE only", openssl: []string{"-min_protocol", "TLSv1", "-no_tls1_3", "-cipher", "DHE:@SECLEVEL=0"}, truth: "uuun"},
		{name: "client certificate, 1.3", host: sandbox.Host{TLS: sandbox.TLS{Min: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert}}, truth: "nnny"},
		{name: "no STARTTLS", host: sandbox.Host{NoSTARTTLS: true}, truth: "nnnn"},
		{name: "reply in two segments", host: sandbox.Host{Script: sandbox.On("EHLO", (&sandbox.Action{Send: [][]byte{[]byte(ehlo[:30]), []byte(ehlo[30:])}, Every: 50 * time.Millisecond}).Taken())}, truth: "nnyy"},
		{name: "closes after 220", host: sandbox.Host{Script: sandbox.On("STARTTLS", sandbox.Reply("220 go ahead").Then(sandbox.Close))}, truth: "????"},
		{name: "banner after 5 s", host: sandbox.Host{Script: sandbox.On(sandbox.Connect, sandbox.Late("220 mx.example.test ESMTP\r\n", 5*time.Second).Taken())}, truth: "nnyy", slow: true},
		{name: "421 from the 3rd connection", host: sandbox.Host{Script: since(2, sandbox.Reply("421 4.7.0 too many connections").Then(sandbox.Close))}, truth: "nnyy", limited: "nn?y", slow: true},
		{name: "454 to STARTTLS", host: sandbox.Host{Script: sandbox.On("STARTTLS", sandbox.Reply("454 4.7.0 not now"))}, truth: "????", slow: true},
	}
}

const (
	comparedTrip   = 50 * time.Millisecond
	comparedGoal   = 800 * time.Millisecond // for sendctl, of one mail host
	comparedAtOnce = 3                      // hosts, for the other tools
	toolPatience   = 90 * time.Second       // those that hang are cut off
)

// The same hosts, 50 ms away, asked by sendctl and by those tools that are installed: answers,
// connections and seconds as a table, for which SENDCTL_COMPARISON names the file; it takes
// minutes. Only of sendctl it is demanded that the answers are right, and that no host takes
// more than four connections and 0.8 s, unless it is slow by itself.
func TestComparison(t *testing.T) {
	path := os.Getenv("SENDCTL_COMPARISON")
	if path == "" {
		t.Skip("SENDCTL_COMPARISON names no file")
	}
	authority, err := sandbox.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	hosts := comparedHosts()
	rows := make([]string, len(hosts))
	for i, c := range hosts { // one after the other, for it measures time
		t.Run("sendctl, "+c.name, func(t *testing.T) { rows[i] = atBest(t, c, authority) })
	}
	t.Run("tools", func(t *testing.T) {
		places := make(chan struct{}, comparedAtOnce)
		for i, c := range hosts {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				places <- struct{}{}
				defer func() { <-places }()
				for _, tool := range tools() {
					if _, err := exec.LookPath(tool.name); err == nil {
						rows[i] += byTool(t, tool, c, authority)
					}
				}
			})
		}
	})
	table := "| host | truth | tool | answers (1.0 1.1 1.2 1.3) | connections | seconds |\n|---|---|---|---|--:|--:|\n" + strings.Join(rows, "")
	t.Log("\n" + table)
	if err := os.WriteFile(path, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
}

// row is a line of the table.
func (c compared) row(tool, got string, connections int64, took time.Duration) string {
	seconds := fmt.Sprintf("%.1f", took.Seconds())
	if took >= toolPatience {
		seconds = "cut off at " + seconds
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %d | %s |\n", c.name, c.truth, tool, got, connections, seconds)
}

// serve runs the host, and gives its address a round trip away.
func (c compared) serve(t *testing.T, authority *sandbox.Authority) (string, *atomic.Int64) {
	t.Helper()
	if c.openssl != nil {
		return delayed(t, splice(t, sServer(t, selfSigned(t, "-newkey", "rsa:2048"), c.openssl...)), comparedTrip)
	}
	c.host.Name = "mx.example.test"
	s, err := sandbox.Serve(c.host, authority)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return delayed(t, s.Addr().String(), comparedTrip)
}

// atBest asks a host by sendctl, again where it took longer than the goal: what is measured is
// round trips, and not what else this machine has to do.
func atBest(t *testing.T, c compared, authority *sandbox.Authority) string {
	t.Helper()
	const tries = 3
	for try := 1; ; try++ {
		row, took := bySendctl(t, c, authority)
		if c.slow || took <= comparedGoal {
			return row
		}
		if try == tries {
			t.Errorf("it took %s", took)
			return row
		}
	}
}

func bySendctl(t *testing.T, c compared, authority *sandbox.Authority) (string, time.Duration) {
	t.Helper()
	addr, count := c.serve(t, authority)
	w := oneHost(t, sandbox.Host{}, func(p *probe.Config, _ *courier.Config) {
		p.Session.Timeouts.Greeting, p.Pause, p.PerDomain = 30*time.Second, 5*time.Second, time.Minute
		p.Dial = probe.NewLimiter(func(ctx context.Context, _ netip.Addr, _ netip.AddrPort) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", addr)
		}, time.Minute).Dial
	})
	began := time.Now()
	m := w.ask(t, "example.test").MX[0]
	took := time.Since(began)
	// Beyond the limit the truth is not to be had, and not to be made up either.
	if got := versions(m); got != c.truth && c.limited != got {
		t.Errorf("sendctl says %s, true is %s; %+v", got, c.truth, m.Evidence)
	}
	if count.Load() > 4 {
		t.Errorf("%d connections", count.Load())
	}
	return c.row("sendctl probe", versions(m), count.Load(), took), took
}

func byTool(t *testing.T, tool tool, c compared, authority *sandbox.Authority) string {
	t.Helper()
	addr, count := c.serve(t, authority)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), toolPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool.name, tool.args(host, port)...)
	cmd.WaitDelay = time.Second
	before, began := count.Load(), time.Now()
	out, _ := cmd.CombinedOutput() // an exit status says nothing here: it is part of what is compared
	return c.row(tool.name, tool.read(string(out)), count.Load()-before, time.Since(began))
}
