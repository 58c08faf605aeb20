package bench

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// zone answers for the recipients' domains, all of them below test: dN.test has the mail host mx.dN.test, which has
// one of the addresses.
type zone struct{ hosts []netip.Addr }

// domain is the name of the recipients' domain with this number.
func domain(n int) string { return "d" + strconv.Itoa(n) + ".test" }

// recipient is the address of the recipient with this number, in the domain with that number.
func recipient(n, at int) string { return "r" + strconv.Itoa(n) + "@" + domain(at) }

// numberOf is the number of a recipient, -1 where it has none.
func numberOf(address []byte) int {
	local, _, _ := strings.Cut(string(address), "@")
	digits, ok := strings.CutPrefix(local, "r")
	n, err := strconv.ParseUint(digits, 10, 31)
	if !ok || err != nil {
		return -1
	}
	return int(n)
}

// ServeDNS answers one query.
func (z zone) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	answer := new(dns.Msg)
	answer.SetReply(query)
	answer.Authoritative, answer.RecursionAvailable = true, true
	if len(query.Question) == 1 {
		z.answer(answer, query.Question[0])
	}
	_ = w.WriteMsg(answer) // a resolver that got no answer asks again
}

func (z zone) answer(m *dns.Msg, q dns.Question) {
	name, isHost := strings.CutPrefix(strings.ToLower(q.Name), "mx.")
	number, ok := strings.CutPrefix(strings.TrimSuffix(name, ".test."), "d")
	n, err := strconv.ParseUint(number, 10, 31)
	if !ok || err != nil {
		m.Rcode = dns.RcodeNameError
		return
	}
	header := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 3600}
	switch {
	case isHost && q.Qtype == dns.TypeA:
		host := z.hosts[int(n)%len(z.hosts)]
		m.Answer = append(m.Answer, &dns.A{Hdr: header, A: host.AsSlice()})
	case !isHost && q.Qtype == dns.TypeMX:
		m.Answer = append(m.Answer, &dns.MX{Hdr: header, Preference: 10, Mx: "mx." + name})
	}
}

// serveDNS answers on a socket and a listener until both are closed.
func serveDNS(z zone, packets net.PacketConn, streams net.Listener) error {
	ended := make(chan error, 2)
	go func() { ended <- (&dns.Server{PacketConn: packets, Handler: z}).ActivateAndServe() }()
	go func() { ended <- (&dns.Server{Listener: streams, Handler: z}).ActivateAndServe() }()
	err := <-ended
	<-ended
	return err
}
