package probe_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/route"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/tlsauth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a sandbox and what probing it takes.
type world struct {
	box *sandbox.Sandbox
	cfg probe.Config
}

// newWorld starts a sandbox; edit may change what the prober is made of.
func newWorld(t testing.TB, o sandbox.Options, edit func(*probe.Config, *courier.Config)) *world {
	t.Helper()
	box, err := sandbox.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	roots, err := tlsauth.ParseRoots(box.CA())
	if err != nil {
		t.Fatal(err)
	}
	resolver := route.New(route.Options{Servers: []string{box.DNS()}, Timeout: 5 * time.Second})
	session := smtp.Options{Clock: time.Now, Timeouts: smtp.Timeouts{
		Connect: 5 * time.Second, Greeting: time.Second, Handshake: 2 * time.Second, Command: 2 * time.Second,
		DataStart: time.Second, DataBlock: time.Second, DataDone: time.Second,
	}}
	limiter := probe.NewLimiter(box.Dial, 5*time.Second)
	cc := courier.Config{Resolver: resolver, Dial: limiter.Dial, Port: 25, Session: session, Hostname: "mta1.clinic.test", PublicRoots: roots, Pass: time.Minute}
	cfg := probe.Config{
		Resolver: resolver, Dial: limiter.Dial, Port: 25, Session: session, Hostname: "mta1.clinic.test", Roots: roots,
		Random: func() (r [32]byte) { _, _ = rand.Read(r[:]); return r },
		Pause:  200 * time.Millisecond, PerDomain: 30 * time.Second,
	}
	if edit != nil {
		edit(&cfg, &cc)
	}
	cfg.Courier = courier.New(cc)
	return &world{box, cfg}
}

// host runs a world of one domain, example.test, with one host.
func oneHost(t testing.TB, h sandbox.Host, edit func(*probe.Config, *courier.Config)) *world {
	t.Helper()
	return newWorld(t, sandbox.Options{Domains: []sandbox.Domain{{Name: "example.test", Hosts: []sandbox.Host{h}}}}, edit)
}

func (w *world) ask(t testing.TB, domain string) *probe.Result {
	t.Helper()
	return probe.New(w.cfg).Domain(t.Context(), domain)
}

// versions is the four answers, oldest version first, in one word.
func versions(m probe.MX) string {
	out := ""
	for _, v := range []string{"TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"} {
		out += map[probe.Answer]string{probe.Yes: "y", probe.No: "n", probe.Unknown: "?", probe.Unusable: "u"}[m.Versions[v]]
	}
	return out
}

// polite fails the test where a host heard anything but what a probe may say.
func (w *world) polite(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second) // a cleanup's context has ended
	defer cancel()
	if err := w.box.Wait(ctx); err != nil {
		t.Error(err)
		return
	}
	for _, c := range w.box.Connections() {
		for _, line := range c.Commands {
			switch line {
			case "EHLO mta1.clinic.test", "STARTTLS", "QUIT":
			default:
				t.Errorf("%s was told %q", c.Host, line)
			}
		}
		for _, v := range c.Violations {
			t.Errorf("%s: %s", c.Host, v)
		}
	}
	if n := w.box.Accepted(); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
}
