package spool

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// outcomeDoc is an outcome at rest, without its attempts and session, which are columns of
// their own.
type outcomeDoc struct {
	Status   delivery.Status `json:"status"`
	Reason   policy.Reason   `json:"reason,omitempty"`
	Code     int             `json:"code,omitempty"`
	Enhanced string          `json:"enhanced_code,omitempty"`
	Reply    *replyDoc       `json:"reply,omitempty"`
	Text     string          `json:"text,omitempty"`
}

type replyDoc struct {
	Code     int      `json:"code"`
	Enhanced string   `json:"enhanced_code,omitempty"`
	Lines    []string `json:"lines,omitempty"`
}

type attemptDoc struct {
	Time       time.Time      `json:"time"`
	MX         string         `json:"mx,omitempty"`
	IP         string         `json:"ip,omitempty"`
	SourceIP   string         `json:"source_ip,omitempty"`
	Stage      delivery.Stage `json:"stage,omitempty"`
	Reason     policy.Reason  `json:"reason,omitempty"`
	Definitive bool           `json:"definitive,omitempty"`
	Reply      *replyDoc      `json:"reply,omitempty"`
	Text       string         `json:"text,omitempty"`
	TLSVersion string         `json:"tls_version,omitempty"`
}

// sessionDoc keeps all of a session's protection, so that it can be judged again.
type sessionDoc struct {
	MX          string              `json:"mx"`
	IP          string              `json:"ip"`
	SourceIP    string              `json:"source_ip"`
	Verified    policy.Verification `json:"verified"`
	VerifyError string              `json:"verify_error,omitempty"`
	Protection  *protectionDoc      `json:"tls"` // null: in clear
}

type protectionDoc struct {
	Version     string         `json:"version"`
	Suite       string         `json:"cipher"`
	Group       uint16         `json:"group"`
	Resumed     bool           `json:"resumed"`
	Certificate certificateDoc `json:"certificate"`
}

type certificateDoc struct {
	SHA256   string                `json:"sha256"`
	Subject  string                `json:"subject"`
	NotAfter time.Time             `json:"not_after"`
	Public   findingDoc            `json:"public"`
	Custom   map[string]findingDoc `json:"custom,omitempty"`
}

type findingDoc struct {
	OK      bool          `json:"ok"`
	Reason  policy.Reason `json:"reason,omitempty"`
	Passing bool          `json:"passing,omitempty"`
	Text    string        `json:"text,omitempty"`
}

func encodeOutcome(o delivery.Outcome) (string, error) {
	body, err := json.Marshal(outcomeDoc{o.Status, o.Reason, o.Code, o.Enhanced.String(), encodeReply(o.Reply), o.Text})
	return string(body), err
}

func decodeOutcome(body string) (delivery.Outcome, error) {
	var doc outcomeDoc
	if body == "" {
		return delivery.Outcome{}, nil
	}
	if err := strictJSON(body, &doc); err != nil {
		return delivery.Outcome{}, err
	}
	return delivery.Outcome{
		Status: doc.Status, Reason: doc.Reason, Code: doc.Code, Enhanced: enhancedNamed(doc.Enhanced),
		Reply: decodeReply(doc.Reply), Text: doc.Text,
	}, nil
}

func encodeReply(r mail.Reply) *replyDoc {
	if r.IsZero() && r.Status.IsZero() && len(r.Lines) == 0 {
		return nil
	}
	return &replyDoc{r.Code, r.Status.String(), r.Lines}
}

func decodeReply(doc *replyDoc) mail.Reply {
	if doc == nil {
		return mail.Reply{}
	}
	return mail.Reply{Code: doc.Code, Status: enhancedNamed(doc.Enhanced), Lines: doc.Lines}
}

func enhancedNamed(s string) mail.Status {
	status, _ := mail.ParseStatus(s)
	return status
}

// encodeAttempts gives a line for each attempt.
func encodeAttempts(attempts []delivery.Attempt) (string, error) {
	var b strings.Builder
	for _, a := range attempts {
		line, err := json.Marshal(attemptDoc{
			a.Time.UTC(), a.MX, a.IP, a.SourceIP, a.Stage, a.Reason, a.Definitive, encodeReply(a.Reply), a.Text, a.TLSVersion,
		})
		if err != nil {
			return "", err
		}
		b.Write(line)
		b.WriteByte('\n')
	}
	return b.String(), nil
}

func decodeAttempts(text string) ([]delivery.Attempt, error) {
	var out []delivery.Attempt
	err := jsonLines(text, func(line []byte) error {
		var doc attemptDoc
		if err := strictJSON(string(line), &doc); err != nil {
			return err
		}
		out = append(out, delivery.Attempt{
			Time: doc.Time, MX: doc.MX, IP: doc.IP, SourceIP: doc.SourceIP, Stage: doc.Stage, Reason: doc.Reason,
			Definitive: doc.Definitive, Reply: decodeReply(doc.Reply), Text: doc.Text, TLSVersion: doc.TLSVersion,
		})
		return nil
	})
	return out, err
}

func encodeSession(s *delivery.Session) (fact, error) {
	doc := sessionDoc{MX: s.MX, IP: s.IP, SourceIP: s.SourceIP, Verified: s.Verified, VerifyError: s.VerifyError}
	if p := s.Protection; p.Encrypted {
		c := p.Certificate
		doc.Protection = &protectionDoc{
			Version: p.Version.String(), Suite: p.Suite.String(), Group: uint16(p.Group), Resumed: p.Resumed,
			Certificate: certificateDoc{SHA256: c.SHA256, Subject: c.Subject, NotAfter: c.NotAfter.UTC(), Public: findingDoc(c.Public)},
		}
		if c.Custom != nil {
			doc.Protection.Certificate.Custom = map[string]findingDoc{}
			for id, f := range c.Custom {
				doc.Protection.Certificate.Custom[id] = findingDoc(f)
			}
		}
	}
	body, err := json.Marshal(doc)
	return newFact(body), err
}

func decodeSession(body string) (*delivery.Session, error) {
	var doc sessionDoc
	if err := strictJSON(body, &doc); err != nil {
		return nil, err
	}
	s := &delivery.Session{MX: doc.MX, IP: doc.IP, SourceIP: doc.SourceIP, Verified: doc.Verified, VerifyError: doc.VerifyError}
	p := doc.Protection
	if p == nil {
		return s, nil
	}
	version, vok := versionNamed(p.Version)
	suite, sok := suiteNamed(p.Suite)
	if !vok || !sok {
		return nil, errDamaged("its session has version %q and cipher %q", p.Version, p.Suite)
	}
	s.Protection = policy.Protection{
		Encrypted: true, Version: version, Suite: suite, Group: tlsnames.Group(p.Group), Resumed: p.Resumed,
		Certificate: policy.PeerCertificate{
			SHA256: p.Certificate.SHA256, Subject: p.Certificate.Subject, NotAfter: p.Certificate.NotAfter,
			Public: policy.Finding(p.Certificate.Public),
		},
	}
	if p.Certificate.Custom != nil {
		custom := map[string]policy.Finding{}
		for id, f := range p.Certificate.Custom {
			custom[id] = policy.Finding(f)
		}
		s.Protection.Certificate.Custom = custom
	}
	return s, nil
}

// versionNamed reads what Version.String writes.
func versionNamed(s string) (tlsnames.Version, bool) {
	if v, ok := tlsnames.ParseVersion(s); ok {
		return v, true
	}
	n, ok := numberNamed(s)
	return tlsnames.Version(n), ok
}

// suiteNamed reads what Suite.String writes.
func suiteNamed(s string) (tlsnames.Suite, bool) {
	if v, ok := tlsnames.ParseSuite(s); ok {
		return v, true
	}
	n, ok := numberNamed(s)
	return tlsnames.Suite(n), ok
}

// numberNamed reads "0x1234", and "" as 0.
func numberNamed(s string) (uint16, bool) {
	if s == "" {
		return 0, true
	}
	digits, ok := strings.CutPrefix(s, "0x")
	n, err := strconv.ParseUint(digits, 16, 16)
	return uint16(n), ok && err == nil
}
