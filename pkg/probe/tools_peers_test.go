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
	name  string
	host  sandbox.Host
	truth string
	// limited is what may be said instead where a host lets nobody ask enough; "" for nothing.
	limited string
}

func comparedHosts() []compared {
	since := func(n int, a *sandbox.Action) sandbox.Script {
		return sandbox.When(func(e sandbox.Event) bool { return e.Verb == sandbox.Connect && e.Connection > n }, a)
	}
	ehlo := "250-mx.example.test\r\n250-SIZE 10240000\r\n250 STARTTLS\r\n"
	return []compared{
		{"1.2, 1.3", sandbox.Host{}, "nnyy", ""},
		{"1.0 to 1.3", sandbox.Host{TLS: sandbox.TLS{Min: tls.VersionTLS10}}, "yyyy", ""},
		{"1.0, 1.1", sandbox.Host{TLS: sandbox.TLS{Min: tls.VersionTLS10, Max: tls.VersionTLS11}}, "yynn", ""},
		{"reply in two segments", sandbox.Host{Script: sandbox.On("EHLO", (&sandbox.Action{Send: [][]byte{[]byte(ehlo[:30]), []byte(ehlo[30:])}, Every: 50 * time.Millisecond}).Taken())}, "nnyy", ""},
		{"banner after 5 s", sandbox.Host{Script: sandbox.On(sandbox.Connect, sandbox.Late("220 mx.example.test ESMTP\r\n", 5*time.Second).Taken())}, "nnyy", ""},
		{"421 from the 3rd connection", sandbox.Host{Script: since(2, sandbox.Reply("421 4.7.0 too many connections").Then(sandbox.Close))}, "nnyy", "nn?y"},
		{"454 to STARTTLS", sandbox.Host{Script: sandbox.On("STARTTLS", sandbox.Reply("454 4.7.0 not now"))}, "????", ""},
		{"closes after 220", sandbox.Host{Script: sandbox.On("STARTTLS", sandbox.Reply("220 go ahead").Then(sandbox.Close))}, "????", ""},
		{"client certificate", sandbox.Host{TLS: sandbox.TLS{Min: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert}}, "nnny", ""},
		{"no STARTTLS", sandbox.Host{NoSTARTTLS: true}, "nnnn", ""},
	}
}

// The same hosts, asked by sendctl and by those tools that are installed: answers, connections
// and seconds as a table, for which SENDCTL_COMPARISON names the file; it takes minutes. Only
// sendctl's own answers are demanded to be right.
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
	t.Run("hosts", func(t *testing.T) {
		places := make(chan struct{}, comparedAtOnce)
		for i, c := range hosts {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				places <- struct{}{}
				defer func() { <-places }()
				rows[i] = compare(t, c, authority)
			})
		}
	})
	table := "| host | truth | tool | answers (1.0 1.1 1.2 1.3) | connections | seconds |\n|---|---|---|---|--:|--:|\n" + strings.Join(rows, "")
	t.Log("\n" + table)
	if err := os.WriteFile(path, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Hosts at once, and how long a tool may take for one: those that hang are cut off.
const (
	comparedAtOnce = 2
	toolPatience   = 60 * time.Second
)

// compare asks one host by every tool that is installed.
func compare(t *testing.T, c compared, authority *sandbox.Authority) string {
	t.Helper()
	c.host.Name = "mx.example.test"
	var rows strings.Builder
	row := func(tool, got string, connections int, took time.Duration) {
		seconds := fmt.Sprintf("%.1f", took.Seconds())
		if took >= toolPatience {
			seconds = "cut off at " + seconds
		}
		fmt.Fprintf(&rows, "| %s | %s | %s | %s | %d | %s |\n", c.name, c.truth, tool, got, connections, seconds)
	}
	got, connections, took := bySendctl(t, c, authority)
	row("sendctl probe", got, connections, took)
	// Beyond the limit the truth is not to be had, and not to be made up either.
	if got != c.truth && c.limited != got {
		t.Errorf("%s: sendctl says %s, true is %s", c.name, got, c.truth)
	}
	for _, tool := range tools() {
		if _, err := exec.LookPath(tool.name); err == nil {
			got, connections, took := byTool(t, tool, c, authority)
			row(tool.name, got, connections, took)
		}
	}
	return rows.String()
}

func serve(t *testing.T, c compared, authority *sandbox.Authority) *sandbox.Server {
	t.Helper()
	s, err := sandbox.Serve(c.host, authority)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func bySendctl(t *testing.T, c compared, authority *sandbox.Authority) (string, int, time.Duration) {
	t.Helper()
	s := serve(t, c, authority)
	defer s.Close()
	w := oneHost(t, sandbox.Host{}, func(p *probe.Config, _ *courier.Config) {
		p.Session.Timeouts.Greeting, p.Pause, p.PerDomain = 30*time.Second, 5*time.Second, time.Minute
		p.Dial = probe.NewLimiter(func(ctx context.Context, _ netip.Addr, _ netip.AddrPort) (net.Conn, error) {
			return s.Dial(ctx)
		}, time.Minute).Dial
	})
	began := time.Now()
	m := w.ask(t, "example.test").MX[0]
	return versions(m), s.Connected(), time.Since(began)
}

func byTool(t *testing.T, tool tool, c compared, authority *sandbox.Authority) (string, int, time.Duration) {
	t.Helper()
	s := serve(t, c, authority)
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), toolPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, tool.name, tool.args(s.Addr().Addr().String(), fmt.Sprint(s.Addr().Port()))...)
	cmd.WaitDelay = time.Second
	began := time.Now()
	out, _ := cmd.CombinedOutput() // an exit status says nothing here: it is part of what is compared
	return tool.read(string(out)), s.Connected(), time.Since(began)
}
