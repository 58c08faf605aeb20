package mtasts_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/mtasts"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// policyHost serves HTTPS as mta-sts.example.com and gives a fetcher that reaches it.
func policyHost(t *testing.T, h http.HandlerFunc, edit func(*tls.Config, *sandbox.Authority)) *mtasts.Fetcher {
	t.Helper()
	authority, err := sandbox.NewAuthority(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := authority.Issue("mta-sts.example.com", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}}
	if edit != nil {
		edit(server.TLS, authority)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return &mtasts.Fetcher{
		TXT: func(_ context.Context, name string) ([]string, error) {
			if name != "_mta-sts.example.com" {
				t.Errorf("TXT of %s", name)
			}
			return []string{"v=STSv1; id=1"}, nil
		},
		Addresses: func(_ context.Context, host string) ([]netip.Addr, error) {
			if host != "mta-sts.example.com" {
				t.Errorf("addresses of %s", host)
			}
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
		},
		Dial: func(ctx context.Context, target netip.AddrPort) (net.Conn, error) {
			if target.String() != "192.0.2.1:443" {
				t.Errorf("dialled %s", target)
			}
			var d net.Dialer
			return d.DialContext(ctx, "tcp", server.Listener.Addr().String())
		},
		Roots: authority.Pool(), Clock: time.Now,
	}
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/.well-known/mta-sts.txt" || r.Host != "mta-sts.example.com" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, body)
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	got, err := policyHost(t, text(good), nil).Fetch(t.Context(), "example.com")
	if err != nil || got.ID != "1" || got.Policy.Mode != mtasts.Enforce || string(got.Body) != good {
		t.Fatalf("%+v, %v", got, err)
	}
}

// FAULTS P2.
func TestFetchRefuses(t *testing.T) {
	t.Parallel()
	certificate := func(name string) func(*tls.Config, *sandbox.Authority) {
		return func(c *tls.Config, a *sandbox.Authority) {
			cert, err := a.Issue(name, nil, nil)
			if err != nil {
				panic(err)
			}
			c.Certificates[0] = *cert
		}
	}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		edit    func(*tls.Config, *sandbox.Authority)
		want    string
	}{
		"404": {http.NotFound, nil, "404"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://mta-sts.example.com/elsewhere", http.StatusFound)
		}, nil, "302"},
		"HTML": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, good)
		}, nil, "text/html"},
		"a body without end": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			for {
				if _, err := io.WriteString(w, strings.Repeat("x", 1<<12)); err != nil {
					return
				}
			}
		}, nil, "octets"},
		"no policy":  {text("hello"), nil, "colon"},
		"wrong name": {text(good), certificate("example.com"), "not mta-sts.example.com"},
		"self-signed": {text(good), func(c *tls.Config, a *sandbox.Authority) {
			b, _ := a.SelfSign("mta-sts.example.com", nil, nil)
			c.Certificates[0] = *b
		}, "unknown authority"},
		"TLS 1.0 only": {text(good), func(c *tls.Config, _ *sandbox.Authority) {
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10
		}, "protocol version"},
		"plain HTTP reply": {func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, nil, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := policyHost(t, tt.handler, tt.edit).Fetch(t.Context(), "example.com")
			var e *mtasts.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), tt.want) || errors.Is(err, mtasts.ErrNoRecord) {
				t.Fatalf("%v; want an error about %s", err, tt.want)
			}
		})
	}
}

// FAULTS P2: a drip is cut off by the time for the whole.
func TestFetchDrip(t *testing.T) {
	t.Parallel()
	f := policyHost(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}, nil)
	f.Timeout = 100 * time.Millisecond
	_, err := f.Fetch(t.Context(), "example.com")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

// FAULTS P2: an address that no policy host can have is not even dialled.
func TestFetchPrivate(t *testing.T) {
	t.Parallel()
	f := policyHost(t, text(good), nil)
	f.Refuse = func(netip.Addr) bool { return true }
	f.Dial = func(context.Context, netip.AddrPort) (net.Conn, error) {
		t.Error("dialled")
		return nil, errors.New("dialled")
	}
	if _, err := f.Fetch(t.Context(), "example.com"); err == nil || !strings.Contains(err.Error(), "192.0.2.1") {
		t.Fatal(err)
	}
}

// FAULTS P1: without one good record nothing is fetched.
func TestFetchWithoutRecord(t *testing.T) {
	t.Parallel()
	broken := errors.New("SERVFAIL")
	for name, txt := range map[string]func(context.Context, string) ([]string, error){
		"absent": func(context.Context, string) ([]string, error) { return nil, nil },
		"two": func(context.Context, string) ([]string, error) {
			return []string{"v=STSv1; id=1", "v=STSv1; id=2"}, nil
		},
		"SERVFAIL": func(context.Context, string) ([]string, error) { return nil, broken },
	} {
		f := mtasts.Fetcher{TXT: txt, Addresses: func(context.Context, string) ([]netip.Addr, error) {
			t.Errorf("%s: went on", name)
			return nil, broken
		}}
		if _, err := f.Fetch(t.Context(), "example.com"); !errors.Is(err, mtasts.ErrNoRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
