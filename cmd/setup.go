package cmd

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/route"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/tlsauth"
)

// configuration finds and loads the configuration; every error in it stops the command
// before anything is sent.
func (a *app) configuration() (*config.Config, error) {
	dirs, err := config.FindConfig(a.configEnv())
	if err != nil {
		return nil, configError(err)
	}
	cfg, problems := config.Load(dirs.Config)
	if err := problems.Err(); err != nil {
		return nil, configError(err)
	}
	return cfg, nil
}

// stateDir is where state is kept: the sandbox's where one is used and no other is named.
func (a *app) stateDir(box *sandboxNetwork) (string, error) {
	if box != nil && a.flags.state == "" {
		return box.state, nil
	}
	dir, err := config.FindState(a.configEnv())
	if err != nil {
		return "", configError(err)
	}
	return dir, nil
}

func (a *app) configEnv() config.Env {
	return config.Env{ConfigFlag: a.flags.config, StateFlag: a.flags.state, Getenv: a.getenv, UID: a.uid}
}

// network is what a command needs to talk to mail hosts: the real one, or a sandbox.
type network struct {
	courier   *courier.Courier
	resolver  *route.Resolver
	hostname  string // the EHLO name of sources that have none of their own
	sandboxed bool
	// speed is how many times as fast as the wall clock retries run.
	speed int
	close func()
}

// network makes the courier that the configuration describes, on the real network or in a sandbox.
func (a *app) network(cfg *config.Config, box *sandboxNetwork) (*network, error) {
	s := cfg.Settings
	n := &network{speed: 1, close: func() {}, hostname: a.hostname(cfg, box)}
	dial, timeouts := courier.Dial(courier.NetDial), s.Timeouts
	var roots *x509.CertPool
	var err error
	if box == nil {
		roots, err = publicRoots()
	} else {
		n.sandboxed, n.speed = true, sandboxSpeed
		dial, timeouts = box.Dial, hurried(timeouts, sandboxSpeed)
		roots, err = tlsauth.ParseRoots(box.ca)
	}
	if err != nil {
		return nil, err
	}
	resolver, err := a.resolver(cfg, box)
	if err != nil {
		return nil, err
	}
	trace, err := a.openTrace()
	if err != nil {
		return nil, err
	}
	n.resolver = resolver
	if trace != nil {
		n.close = func() { _ = trace.Close() }
	}
	session := sessionOptions(s, timeouts, trace)
	session.Clock = a.now
	n.courier = courier.New(courier.Config{
		Resolver: resolver, Dial: dial, Port: uint16(s.Delivery.Port),
		Session:  session,
		Hostname: n.hostname, Pools: pools(s), PublicRoots: roots,
		AllowPrivate: s.Delivery.AllowPrivateAddresses, Pass: maxPass,
	})
	return n, nil
}

// maxPass bounds one pass of the host loop for a destination.
const maxPass = 10 * time.Minute

func sessionOptions(s config.Settings, t config.Timeouts, trace *traceFile) smtp.Options {
	o := smtp.Options{
		Timeouts: smtp.Timeouts{
			Connect: t.Connect, Greeting: t.Greeting, Handshake: t.Handshake, Command: t.Command,
			DataStart: t.DataStart, DataBlock: t.DataBlock, DataDone: t.DataDone,
		},
		Pace: paces()[s.Delivery.Pipelining], Window: s.Delivery.Window,
		Clock: time.Now,
	}
	if trace != nil {
		o.Trace = trace
	}
	return o
}

// paces are what [delivery] pipelining stands for.
func paces() map[string]smtp.Pace {
	return map[string]smtp.Pace{
		config.PipeliningOff: smtp.OneByOne, config.PipeliningMessage: smtp.Grouped, config.PipeliningFull: smtp.Windowed,
	}
}

// resolver makes the resolver that the configuration describes, or that of a sandbox.
func (a *app) resolver(cfg *config.Config, box *sandboxNetwork) (*route.Resolver, error) {
	o := route.Options{TrustAD: cfg.Settings.DNS.TrustAD, Timeout: cfg.Settings.Timeouts.DNS}
	servers := cfg.Settings.DNS.Servers
	if box != nil {
		servers, o.Timeout = []netip.AddrPort{box.dns}, hurried(cfg.Settings.Timeouts, sandboxSpeed).DNS
	}
	for _, s := range servers {
		o.Servers = append(o.Servers, s.String())
	}
	if len(o.Servers) == 0 {
		var err error
		if o.Servers, err = route.ServersFromResolvConf("/etc/resolv.conf"); err != nil {
			return nil, configf("name a resolver in [dns] servers of sendctl.toml", "%w", err)
		}
	}
	return route.New(o), nil
}

// publicRoots are the system's, or Mozilla's as they were embedded where the system has none.
func publicRoots() (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err == nil && !pool.Equal(x509.NewCertPool()) {
		return pool, nil
	}
	pool = x509.NewCertPool()
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return nil, fail(exitBug, fmt.Errorf("reading the embedded roots: %w", err), "")
		}
		if root.Constraint == nil {
			pool.AddCert(cert)
		} else {
			pool.AddCertWithConstraint(cert, root.Constraint)
		}
	}
	return pool, nil
}

func pools(s config.Settings) map[string][]courier.Source {
	out := map[string][]courier.Source{}
	for name, p := range s.Pools {
		for _, src := range p.Sources {
			out[name] = append(out[name], courier.Source{Address: src.Address, EHLO: src.EHLO})
		}
	}
	return out
}

// hostname is the EHLO name of sources that have none of their own.
func (a *app) hostname(cfg *config.Config, box *sandboxNetwork) string {
	switch {
	case cfg.Settings.Hostname != "":
		return cfg.Settings.Hostname
	case box != nil:
		return sandboxHostname
	}
	return systemHostname()
}

// systemHostname is this host's fully qualified name where it knows one, else its short name.
func systemHostname() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	if strings.Contains(name, ".") {
		return strings.TrimSuffix(name, ".")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if full, err := net.DefaultResolver.LookupCNAME(ctx, name); err == nil && strings.Contains(strings.TrimSuffix(full, "."), ".") {
		return strings.TrimSuffix(full, ".")
	}
	return name
}

// traceFile is where sessions write their dialogues, a line at a time.
type traceFile struct {
	mu sync.Mutex
	f  *os.File
}

func (a *app) openTrace() (*traceFile, error) {
	if a.flags.trace == "" {
		return nil, nil
	}
	f, err := os.OpenFile(a.flags.trace, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, usagef("name a file that can be written", "--trace: %w", err)
	}
	return &traceFile{f: f}, nil
}

// Write appends one line with the time before it.
func (t *traceFile) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := io.WriteString(t.f, time.Now().UTC().Format("15:04:05.000 ")); err != nil {
		return 0, err
	}
	return t.f.Write(p)
}

// Close closes the file.
func (t *traceFile) Close() error { return t.f.Close() }

// configError gives an error of the configuration, or of how it was used, its exit status and hint.
func configError(err error) error {
	var bad *config.Error
	var usage *config.UsageError
	switch {
	case errors.As(err, &usage):
		return fail(exitUsage, err, usage.Hint)
	case errors.As(err, &bad):
		return fail(exitConfig, err, bad.Hint)
	}
	return fail(exitConfig, err, "")
}
