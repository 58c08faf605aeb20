package probe

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/hello"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// Past tells when mail last went to a host over TLS, and by which version; false where none is
// known to have done so.
type Past func(host string) (last time.Time, version string, ok bool)

// traces is what a session without an offer of TLS showed that speaks for one that was taken out
// on the way (RFC 3207 §6).
type traces struct {
	mangled  string // a keyword of the answer to EHLO that somebody wrote over
	accepted bool   // STARTTLS is answered by 220 though it is not announced
	answer   hello.Answer
}

// mangledKeyword finds a keyword that was written over with letters X or asterisks, as firewalls
// do that inspect SMTP: XXXXXXXA where STARTTLS stood. "" for none.
func mangledKeyword(keywords []string) string {
	mangled := regexp.MustCompile(`^(X{4,}[A-Z]?|\*{4,})$`)
	for _, k := range keywords {
		if mangled.MatchString(k) {
			return k
		}
	}
	return ""
}

// traces looks, on a session without an offer of TLS, for signs that there was one: STARTTLS
// itself is said, and where it is answered by 220 a ClientHello tells whether TLS follows. It
// ends the session.
func (a *asker) traces(ctx context.Context, s *smtp.Session) traces {
	t := traces{mangled: mangledKeyword(s.Keywords())}
	if t.mangled != "" {
		a.note(Evidence{Reply: "250 " + t.mangled, Error: "a keyword of the answer to EHLO is written over, as firewalls do that inspect SMTP"})
	}
	conn, f := s.Surrender()
	if f != nil {
		return t
	}
	defer conn.Close()
	t.accepted = true
	a.note(Evidence{Reply: "220", Error: "STARTTLS is not announced in the answer to EHLO, and yet answered by 220"})
	h := hello.New(tlsnames.TLS13, a.host, a.p.cfg.Random())
	var err error
	t.answer, err = exchange(ctx, conn, h.Bytes(), false, a.p.cfg.Session.Timeouts.Handshake)
	a.note(evidenceOf(tlsnames.TLS13, reply{answer: t.answer, err: err}))
	return t
}

// versions is what is known of a host without an offer of TLS: nothing is offered, unless TLS
// was found behind a STARTTLS that is not announced.
func (t traces) versions() map[string]Answer {
	l := newLadder()
	if t.answer.Kind == hello.ServerHello || t.answer.Kind == hello.HelloRetryRequest {
		l.full = &handshake{}
		l.judge(question{max: tlsnames.TLS13}, reply{answer: t.answer})
		return l.conclude()
	}
	for _, v := range tlsnames.Versions() {
		l.answers[v] = No
	}
	return l.conclude()
}

// suspect tells, of a host that offers no TLS or refuses it, why it may have been taken out by
// somebody on the way: what speaks for it, in words; "" where nothing does.
func suspect(m *MX, h *hostFacts, past Past) string {
	if m.StartTLS != NotOffered && m.StartTLS != Refused {
		return ""
	}
	var signs []string
	if m.traces.mangled != "" {
		signs = append(signs, "its answer to EHLO has "+m.traces.mangled+" where a keyword was written over, as firewalls do that inspect SMTP")
	}
	switch m.traces.answer.Kind {
	case hello.ServerHello, hello.HelloRetryRequest:
		signs = append(signs, "it answers STARTTLS by 220 without announcing it, and then speaks TLS")
	default:
		if m.traces.accepted {
			signs = append(signs, "it answers STARTTLS by 220 without announcing it")
		}
	}
	if past != nil {
		if last, version, ok := past(m.Host); ok {
			signs = append(signs, "mail went to it over "+version+" on "+last.UTC().Format(time.DateOnly))
		}
	}
	if h != nil && len(h.tlsa) > 0 {
		signs = append(signs, "it publishes TLSA records")
	}
	if m.StartTLS == NotOffered && (m.MTASTS == factFail || m.MTASTS == factTesting) {
		signs = append(signs, "its domain has an MTA-STS policy")
	}
	return strings.Join(signs, ", and ")
}

// warning is the suspicion in a sentence.
func (m *MX) warning() string {
	what := "offers no STARTTLS"
	if m.StartTLS == Refused {
		what = "refuses STARTTLS"
	}
	return m.Host + " [" + m.IP + "] " + what + ", although " + m.Stripping + ": somebody between here and there may be taking TLS out"
}

// suspected adds the suspicion to the reason of a grade.
func (m *MX) suspected(why string) string {
	if m.Stripping == "" {
		return why
	}
	return why + "; somebody on the way may be taking it out, for " + m.Stripping
}
