package route

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	// MaxRecords is how many records of one answer are used: of MX the most preferred,
	// of addresses the numerically lowest, of others the first.
	MaxRecords = 100
	// MaxAliases is how many CNAME records in a row are followed.
	MaxAliases = 16

	maxTTL         = time.Hour
	minTTL         = time.Second // also for TTL 0, so that one burst asks once
	maxNegativeTTL = 5 * time.Minute
)

// question is what is asked: a name in lower case with its final dot, and a type.
type question struct {
	name string
	typ  uint16
}

// typeName is the mnemonic of the type, such as "MX".
func (q question) typeName() string { return dns.TypeToString[q.typ] }

// status is what a server said about a question.
type status int

const (
	found    status = iota
	noData          // the name exists, without records of the type
	noDomain        // NXDOMAIN
	alias           // the name is an alias, and the server said nothing of its target
)

// reading is what one message says about one question, made by interpret.
type reading struct {
	status    status
	name      string // at the end of the alias chain, with the final dot
	aliases   int    // length of that chain
	values    []any  // what decode made of the records, at most MaxRecords
	malformed int    // records of the right name and type with unusable rdata
	dropped   int    // records beyond MaxRecords
	ttl       time.Duration
	server    string // "ip:port" that said so; set by attempt
	authentic bool   // and its AD bit is set and believed; set by attempt
}

// interpret reads m as the answer to q. An error means that m is none, and that another
// server should be asked. Records of names that were not asked for are not looked at.
func interpret(m message, q question) (reading, error) {
	if m.rcode != dns.RcodeSuccess && m.rcode != dns.RcodeNameError {
		return reading{}, refusal(m)
	}
	rd := reading{name: q.name, ttl: maxTTL}
	if err := rd.followAliases(m.answers, q.typ); err != nil {
		return reading{}, err
	}
	rd.collect(m.answers, q.typ)
	if len(rd.values)+rd.malformed > 0 {
		return rd, rd.checkFound(m, q)
	}
	// RFC 2308 §2.2: a negative answer needs someone to vouch for it. A message without
	// AA and RA is a referral or comes from a server that does not do recursion.
	if !m.authoritative && !m.recursion {
		return reading{}, errors.New("gave a referral instead of an answer: it offers no recursion")
	}
	if rd.aliases == 0 && len(m.answers) > 0 {
		return reading{}, errors.New("answered something else than was asked")
	}
	rd.negative(m)
	return rd, nil
}

// refusal is an rcode as a sentence, with the extended error where there is one.
func refusal(m message) error {
	name, ok := dns.RcodeToString[m.rcode]
	if !ok {
		name = fmt.Sprintf("rcode %d", m.rcode)
	}
	if m.why != "" {
		name += " (" + m.why + ")"
	}
	return errors.New("answered " + name)
}

// followAliases walks the CNAME records of the answer from rd.name on.
func (rd *reading) followAliases(answers []record, typ uint16) error {
	for !hasType(answers, rd.name, typ) {
		i := slices.IndexFunc(answers, func(r record) bool { return r.typ == dns.TypeCNAME && r.owner == rd.name })
		if i < 0 {
			return nil
		}
		target, ok := answers[i].data.(string)
		if !ok {
			return fmt.Errorf("answered with a malformed alias (CNAME) at %s", strings.TrimSuffix(rd.name, "."))
		}
		if rd.aliases++; rd.aliases > MaxAliases {
			return errAliases
		}
		rd.name = target
		rd.keepFor(answers[i].ttl)
	}
	return nil
}

// errAliases is the end of a CNAME loop, or of a chain too long to be meant.
var errAliases = fmt.Errorf("answered with a loop or chain of more than %d aliases (CNAME)", MaxAliases)

func hasType(answers []record, owner string, typ uint16) bool {
	return slices.ContainsFunc(answers, func(r record) bool { return r.typ == typ && r.owner == owner })
}

func (rd *reading) keepFor(seconds uint32) {
	rd.ttl = min(rd.ttl, time.Duration(seconds)*time.Second)
}

// collect takes the records of the right name and type.
func (rd *reading) collect(answers []record, typ uint16) {
	for _, r := range answers {
		if r.owner != rd.name || r.typ != typ {
			continue
		}
		rd.keepFor(r.ttl)
		if r.data == nil {
			rd.malformed++
			continue
		}
		rd.values = append(rd.values, r.data)
	}
	slices.SortStableFunc(rd.values, compareValues)
	if extra := len(rd.values) - MaxRecords; extra > 0 {
		rd.dropped = extra
		rd.values = slices.Clip(rd.values[:MaxRecords])
	}
}

// compareValues orders MX records by preference and name and addresses by number, so that
// what is kept of too many does not depend on how a server rotates them.
func compareValues(a, b any) int {
	switch a := a.(type) {
	case mx:
		b := b.(mx)
		return cmp.Or(cmp.Compare(a.preference, b.preference), strings.Compare(a.name, b.name))
	case netip.Addr:
		return a.Compare(b.(netip.Addr))
	}
	return 0
}

func (rd *reading) checkFound(m message, q question) error {
	if m.rcode == dns.RcodeNameError {
		return errors.New("answered NXDOMAIN and records at once")
	}
	// RFC 7672 §2.2: unusable TLSA records still demand encryption, so they are an answer.
	if len(rd.values) == 0 && q.typ != dns.TypeTLSA {
		return fmt.Errorf("answered with %d malformed %s records and no good one", rd.malformed, q.typeName())
	}
	return nil
}

// negative tells the three answers without records apart and how long they hold.
func (rd *reading) negative(m message) {
	ttl, vouched := negativeTTL(m.authority)
	switch {
	case m.rcode == dns.RcodeNameError: // RFC 6604 §3: of the last name of the chain
		rd.status = noDomain
	case rd.aliases > 0 && !vouched:
		rd.status = alias
		return
	default:
		rd.status = noData
	}
	rd.ttl = min(rd.ttl, ttl)
}

// negativeTTL is the lifetime of a negative answer (RFC 2308 §5), zero without an SOA.
func negativeTTL(authority []record) (ttl time.Duration, ok bool) {
	for _, r := range authority {
		if minimum, ok := r.data.(soa); ok {
			return min(time.Duration(min(r.ttl, uint32(minimum)))*time.Second, maxNegativeTTL), true
		}
	}
	return 0, false
}
