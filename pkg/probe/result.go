package probe

import (
	"crypto/x509"
	"fmt"
	"time"
)

// Result is what was found out about one domain (SPEC §6, the objects of "domains").
type Result struct {
	Domain       string    `json:"domain"`
	Grade        Grade     `json:"grade"`
	GradeReasons []string  `json:"grade_reasons"`
	MX           []MX      `json:"mx"`
	MTASTS       *STS      `json:"mta_sts"` // null where the domain has no record
	TLSRPT       string    `json:"tls_rpt"` // the record; "" for none
	DNSSEC       bool      `json:"dnssec"`  // the list of hosts is authentic
	Verdicts     []Verdict `json:"verdicts"`
	Warnings     []string  `json:"warnings"` // signs that somebody strips TLS, such
	Error        string    `json:"error"`    // why there are no hosts; "" where there are

	// NoMail says that the domain cannot receive mail; Inconclusive that something could not
	// be found out, for now.
	NoMail       bool `json:"-"`
	Inconclusive bool `json:"-"`

	own bool // the domain publishes demands of its own
}

// MX is one address of one mail host.
type MX struct {
	Host        string            `json:"host"`
	Preference  uint16            `json:"preference"`
	IP          string            `json:"ip"` // "" where the host has no address
	StartTLS    StartTLS          `json:"starttls"`
	Versions    map[string]Answer `json:"versions"`
	Best        *Best             `json:"best"`        // null where no session came about
	Certificate *Certificate      `json:"certificate"` // likewise
	DANE        string            `json:"dane"`        // none, ok, fail or unknown
	MTASTS      string            `json:"mta_sts"`     // none, testing, ok, fail or unknown
	Evidence    []Evidence        `json:"evidence"`
	Connections int               `json:"connections"`
	DurationMS  int64             `json:"duration_ms"`
	Deep        *Deep             `json:"deep,omitempty"`
	Verdicts    []Verdict         `json:"verdicts,omitempty"`
	ClientCert  bool              `json:"client_certificate"` // the server insists on one
	Throttled   bool              `json:"throttled"`
	// Stripping says what speaks for TLS having been taken out on the way, where the host offers
	// none or refuses it; "" where nothing does.
	Stripping string `json:"stripping"`

	chain        []*x509.Certificate
	inconclusive bool // something about it may be found out another time
	unreachable  bool // this host has no way to the address's network
	neverTLS     bool // STARTTLS is offered, and never led to TLS
	traces       traces
	why          string
}

// StartTLS says whether a host offers TLS.
type StartTLS string

// The ways to offer it.
const (
	Offered    StartTLS = "yes"
	NotOffered StartTLS = "no"
	Refused    StartTLS = "refused" // announced, and then answered by 4yz or 5yz
	Unasked    StartTLS = "unknown"
)

// Answer is what is known about one version at one address.
type Answer string

// The four answers, and none.
const (
	Yes      Answer = "yes"
	No       Answer = "no"
	Unknown  Answer = "unknown"
	Unusable Answer = "unusable" // offered, but with nothing that sendctl's TLS can use
	unset    Answer = ""
)

// Best is what the full session got.
type Best struct {
	Version string `json:"version"`
	Cipher  string `json:"cipher"`
	Group   string `json:"group"`
}

// Certificate is the certificate that a host presents, each verdict by itself.
type Certificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Names     []string  `json:"names"`
	NotAfter  time.Time `json:"not_after"`
	SHA256    string    `json:"sha256"`
	Key       string    `json:"key"`
	Trust     string    `json:"trust"`
	NameMatch bool      `json:"name_match"`
	Expired   bool      `json:"expired"`

	ok      bool
	problem string
	days    int
}

// Evidence is what an answer rests on.
type Evidence struct {
	Version string `json:"version"` // what was asked for: the newest version offered
	Alert   string `json:"alert"`
	Reply   string `json:"reply"`
	Error   string `json:"error"`
}

// STS is a domain's MTA-STS policy as it was found.
type STS struct {
	ID     string   `json:"id"`
	Mode   string   `json:"mode"`
	MX     []string `json:"mx"`
	MaxAge int64    `json:"max_age"` // seconds
	Error  string   `json:"error"`   // why the policy could not be had though there is a record
}

// Outlook is what sending under a profile would come to.
type Outlook string

// The outlooks.
const (
	ByTLS     Outlook = "tls"
	Cleartext Outlook = "cleartext"
	Bounce    Outlook = "bounce"
	Defer     Outlook = "defer"
)

// Verdict is what the host loop of send came to under a profile, for a domain or one address.
type Verdict struct {
	Profile  string  `json:"profile"`
	Verdict  Outlook `json:"verdict"`
	MX       string  `json:"mx"` // the host that would be used, or that decided
	Version  string  `json:"version"`
	Cipher   string  `json:"cipher"`
	Verified string  `json:"verified"` // none, pkix; "" without TLS
	Reason   string  `json:"reason"`   // of the closed set; "" for tls and cleartext

	Text string `json:"text"` // the reason in a sentence
}

// Summary is the certificate in a few words: "ok 79d", or what is wrong with it.
func (c *Certificate) Summary() string {
	if c.ok {
		return fmt.Sprintf("ok %dd", c.days)
	}
	return c.problem
}
