package probe

import "slices"

// Grade is one letter for a domain's mail hosts (SPEC §6).
type Grade string

// The grades, worst first; GradeNone is for domains that take no mail.
const (
	GradeF       Grade = "F"  // a host without STARTTLS, or whose STARTTLS never yields TLS
	GradeC       Grade = "C"  // a certificate at fault
	GradeUnknown Grade = "U"  // a host of which nothing could be learnt
	GradeB       Grade = "B"  // TLS 1.0 or 1.1 still on
	GradeA       Grade = "A"  // TLS 1.2 and 1.3 only, valid certificates
	GradeAPlus   Grade = "A+" // and DANE or enforced MTA-STS at every host
	GradeNone    Grade = "-"
)

func worstFirst() []Grade { return []Grade{GradeF, GradeC, GradeUnknown, GradeB, GradeA, GradeAPlus} }

// grade is the worst of the addresses' grades and what it rests on. An address that this host
// has no way to (IPv6, for the most part) does not count where another one of the same host does.
func grade(res *Result) (Grade, []string) {
	type found struct{ where, why string }
	all := map[Grade][]found{}
	counted := 0
	for i := range res.MX {
		m := &res.MX[i]
		if m.unreachable && slices.ContainsFunc(res.MX, func(o MX) bool { return o.Host == m.Host && !o.unreachable }) {
			continue
		}
		counted++
		g, why := m.grade(res)
		where := m.Host
		if m.IP != "" {
			where += " [" + m.IP + "]"
		}
		all[g] = append(all[g], found{where, why})
	}
	for _, g := range worstFirst() {
		of := all[g]
		if len(of) == 0 {
			continue
		}
		if len(of) == counted && !slices.ContainsFunc(of, func(f found) bool { return f.why != of[0].why }) {
			return g, []string{of[0].why} // the same at every host
		}
		var reasons []string
		for _, f := range of {
			reasons = append(reasons, f.where+": "+f.why)
		}
		return g, reasons
	}
	return GradeUnknown, []string{"no mail host could be asked"}
}

// grade is an address's own: first whether it yields TLS, then with whom, then how.
func (m *MX) grade(res *Result) (Grade, string) {
	switch {
	case m.StartTLS == NotOffered:
		return GradeF, m.suspected("offers no STARTTLS")
	case m.neverTLS && m.StartTLS == Refused:
		return GradeF, m.suspected("announces STARTTLS and refuses it")
	case m.neverTLS && m.ClientCert:
		return GradeF, "its TLS demands a client certificate"
	case m.neverTLS:
		return GradeF, "its STARTTLS never yields TLS: " + m.why
	case m.Certificate == nil:
		return GradeUnknown, orElse(m.why, "nothing could be learnt")
	case !m.Certificate.ok && m.DANE != factOK:
		// RFC 7672 §3.1.1: where the published key vouches for the host, names and dates do not count.
		return GradeC, "its certificate is at fault: " + m.Certificate.problem
	case m.DANE == factFail:
		return GradeC, "its certificate is not what its TLSA records say"
	case m.MTASTS == factFail:
		return GradeC, "it is not what the domain's MTA-STS policy says"
	}
	return m.gradeVersions(res)
}

// gradeVersions grades a host that yields TLS and is who it should be.
func (m *MX) gradeVersions(res *Result) (Grade, string) {
	old, unsure := "", false
	for _, v := range []string{"TLSv1.0", "TLSv1.1"} {
		a := m.Versions[v]
		if a == Yes || a == Unusable {
			old += " " + v
		}
		unsure = unsure || a == Unknown
	}
	switch {
	case old != "":
		return GradeB, "still offers" + old
	case unsure:
		return GradeUnknown, "whether it still offers TLSv1.0 or TLSv1.1 could not be found out"
	case m.DANE == factOK && res.DNSSEC:
		return GradeAPlus, "TLS 1.2 or 1.3 only, DANE"
	case m.MTASTS == factOK:
		return GradeAPlus, "TLS 1.2 or 1.3 only, valid certificate, enforced MTA-STS"
	}
	return GradeA, "TLS 1.2 or 1.3 only, valid certificate; neither DANE nor enforced MTA-STS"
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
