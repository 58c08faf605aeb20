package sandbox

import (
	"crypto/tls"

	"github.com/miekg/dns"
)

// Domain is a domain of a sandbox with its mail hosts.
type Domain struct {
	Name   string
	About  string // what is special about it, for tables
	Hosts  []Host // its MX hosts in order of preference
	NullMX bool   // it says that it takes no mail (RFC 7505)
	// Implicit: no MX record; the only host is the domain itself (RFC 5321 §5.1).
	Implicit bool
	// Rcode, if not zero, is the answer to every question about the domain.
	Rcode int
}

// Info is a row of the table of domains.
type Info struct {
	Domain string   `json:"domain"`
	MX     []string `json:"mx"` // names of the mail hosts in order of preference
	About  string   `json:"about"`
}

// Domains is the table of a sandbox's domains, if it is not given others.
func Domains() []Info {
	return table(Standard(&Greylist{seen: map[[2]string]bool{}}))
}

// table describes the domains.
func table(domains []Domain) []Info {
	var all []Info
	for _, d := range domains {
		i := Info{Domain: d.Name, About: d.About, MX: []string{}}
		for n := range d.Hosts {
			i.MX = append(i.MX, d.hostName(n))
		}
		all = append(all, i)
	}
	return all
}

// Standard are a sandbox's domains, if it is not given others; greylist.test has the memory g.
func Standard(g *Greylist) []Domain {
	exactly := func(v uint16) []Host { return []Host{{TLS: TLS{Min: v, Max: v}}} }
	shows := func(c Certificate) []Host { return []Host{{TLS: TLS{Certificate: c}}} }
	plays := func(s Script) []Host { return []Host{{Script: s}} }
	return []Domain{
		{Name: "tls13.test", About: "TLS 1.3 only", Hosts: exactly(tls.VersionTLS13)},
		{Name: "tls12.test", About: "TLS 1.2 only", Hosts: exactly(tls.VersionTLS12)},
		{Name: "tls10.test", About: "TLS 1.0 only", Hosts: exactly(tls.VersionTLS10)},
		{Name: "modern.test", About: "TLS 1.2 and 1.3, certificate of the sandbox's authority", Hosts: []Host{{IPv6: true}}},
		{Name: "clinic.test", About: "the same; sender of the examples, takes the bouncebacks", Hosts: []Host{{IPv6: true}}},
		{Name: "plain.test", About: "no STARTTLS", Hosts: []Host{{NoSTARTTLS: true}}},
		{Name: "selfsigned.test", About: "self-signed certificate", Hosts: shows(SelfSigned)},
		{Name: "expired.test", About: "expired certificate", Hosts: shows(Expired)},
		{Name: "wrongname.test", About: "certificate for another name", Hosts: shows(WrongName)},
		{Name: "refused-tls.test", About: "answers 454 to STARTTLS",
			Hosts: plays(On("STARTTLS", Reply("454 4.7.0 TLS not available due to temporary reason")))},
		{Name: "broken-tls.test", About: "garbage in the handshake", Hosts: []Host{{TLS: TLS{Hello: Always(Garbage())}}}},
		{Name: "inject.test", About: "bytes behind the 220 to STARTTLS",
			Hosts: plays(On("STARTTLS", Reply("220 2.0.0 ready to start TLS", "250 2.0.0 injected")))},
		{Name: "backup.test", About: "first MX dead, second good", Hosts: []Host{{Reach: Refuses}, {}}},
		{Name: "mixed.test", About: "first MX without STARTTLS, second with TLS", Hosts: []Host{{NoSTARTTLS: true}, {}}},
		{Name: "greylist.test", About: "451 on the first try, then accepts", Hosts: plays(g.Script())},
		{Name: "unknown.test", About: "550 5.1.1 to every recipient",
			Hosts: plays(On("RCPT", Reply("550 5.1.1 no such user here")))},
		{Name: "full.test", About: "452 4.2.2 to every recipient",
			Hosts: plays(On("RCPT", Reply("452 4.2.2 mailbox full")))},
		{Name: "toobig.test", About: "SIZE 10240",
			Hosts: []Host{{Keywords: append(without(DefaultKeywords(), "SIZE"), "SIZE 10240")}}},
		{Name: "slow.test", About: "accepts the connection and stalls", Hosts: plays(On(Connect, Hang(Stall)))},
		// Without a 354 nobody can be in doubt whether the message was taken; without CHUNKING nobody avoids DATA.
		{Name: "hangup.test", About: "closes the connection after DATA", Hosts: []Host{{
			Keywords: without(DefaultKeywords(), "CHUNKING"), Script: On("DATA", Hang(Close))}}},
		{Name: "null.test", About: "null MX: takes no mail", NullMX: true},
		{Name: "nomx.test", About: "no MX, an address only", Implicit: true, Hosts: []Host{{}}},
		{Name: "nxdomain.test", About: "no such domain", Rcode: dns.RcodeNameError},
		{Name: "servfail.test", About: "DNS fails", Rcode: dns.RcodeServerFailure},
	}
}
