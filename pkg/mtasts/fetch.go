package mtasts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Fetcher is what fetching a policy takes.
type Fetcher struct {
	// TXT gives the texts of a name; none, without an error, where it has none.
	TXT func(ctx context.Context, name string) ([]string, error)
	// Addresses gives the addresses of a host.
	Addresses func(ctx context.Context, host string) ([]netip.Addr, error)
	// Dial opens a TCP connection.
	Dial func(ctx context.Context, target netip.AddrPort) (net.Conn, error)
	// Refuse says which addresses are never dialled, private ones such as; nil: none.
	Refuse func(netip.Addr) bool
	// Roots are the authorities that the policy host's certificate must come from.
	Roots *x509.CertPool
	// Clock is the time that certificates are judged at.
	Clock func() time.Time
	// Timeout bounds a whole fetch; 0: 60 s (RFC 8461 §3.3).
	Timeout time.Duration
}

// Fetched is a domain's policy as it was found.
type Fetched struct {
	ID     string // the record's
	Policy Policy
	Body   []byte // the policy file
}

// Error says why a domain's policy could not be had though its record says that there is one.
type Error struct {
	Domain string
	Err    error
}

// Error names the domain and the cause.
func (e *Error) Error() string { return "MTA-STS policy of " + e.Domain + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fetch looks up a domain's record and fetches the policy from https://mta-sts.DOMAIN (RFC 8461
// §3.3). ErrNoRecord, wrapped, where the domain has no valid record or where that cannot be
// told (§3.1: then there is no policy, whatever else). An *Error where the record is there and
// the policy cannot be had. Redirects are not followed.
func (f *Fetcher) Fetch(ctx context.Context, domain string) (Fetched, error) {
	texts, err := f.TXT(ctx, "_mta-sts."+domain)
	if err != nil {
		return Fetched{}, fmt.Errorf("%w: %w", ErrNoRecord, err)
	}
	id, err := ParseRecord(texts)
	if err != nil && !errors.Is(err, ErrNoRecord) {
		err = fmt.Errorf("%w: %w", ErrNoRecord, err)
	}
	if err != nil {
		return Fetched{}, err
	}
	body, err := f.get(ctx, "mta-sts."+domain)
	if err != nil {
		return Fetched{ID: id}, &Error{domain, err}
	}
	p, err := ParsePolicy(body)
	if err != nil {
		return Fetched{ID: id, Body: body}, &Error{domain, err}
	}
	return Fetched{id, p, body}, nil
}

// get fetches the policy file of a policy host.
func (f *Fetcher) get(ctx context.Context, host string) ([]byte, error) {
	const patience = time.Minute
	timeout := f.Timeout
	if timeout <= 0 {
		timeout = patience
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	transport := &http.Transport{
		Proxy: nil, // a policy is fetched from its host and nobody else
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return f.dial(ctx, host)
		},
		TLSClientConfig:        &tls.Config{RootCAs: f.roots(), MinVersion: tls.VersionTLS12, ServerName: host, Time: f.Clock},
		DisableKeepAlives:      true,
		DisableCompression:     true, // so that the limit on octets means what it says
		MaxResponseHeaderBytes: MaxPolicy,
	}
	client := &http.Client{
		Transport: transport,
		// RFC 8461 §3.3: HTTP 3xx redirects must not be followed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "sendctl")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("https://%s answered %s", host, resp.Status)
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || kind != "text/plain" {
		return nil, fmt.Errorf("https://%s gave %q, not text/plain", host, resp.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxPolicy+1))
	if err == nil {
		err = ctx.Err() // what ended with the time allowed may be only the beginning
	}
	if err != nil {
		return nil, fmt.Errorf("reading from https://%s: %w", host, err)
	}
	if len(body) > MaxPolicy {
		return nil, fmt.Errorf("https://%s gave more than %d octets", host, MaxPolicy)
	}
	return body, nil
}

// roots is never nil, which would mean the system's roots, which nobody asked for.
func (f *Fetcher) roots() *x509.CertPool {
	if f.Roots == nil {
		return x509.NewCertPool()
	}
	return f.Roots
}

// dial connects to the first address that answers.
func (f *Fetcher) dial(ctx context.Context, host string) (net.Conn, error) {
	addrs, err := f.Addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	err = fmt.Errorf("%s has no address", host)
	for _, a := range addrs {
		if f.Refuse != nil && f.Refuse(a) {
			err = fmt.Errorf("%s has the address %s, which no host on the internet can have", host, a)
			continue
		}
		conn, derr := f.Dial(ctx, netip.AddrPortFrom(a, 443))
		if derr == nil {
			return conn, nil
		}
		err = derr
	}
	return nil, err
}
