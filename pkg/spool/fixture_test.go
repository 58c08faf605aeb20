package spool

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// clock is a clock that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 8, 30, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// openTest opens a spool that is closed when the test ends.
func openTest(t testing.TB, dir string, o Options) *Spool {
	t.Helper()
	return openFiles(t, dir, o, disk{})
}

func openFiles(t testing.TB, dir string, o Options, f files) *Spool {
	t.Helper()
	s, err := open(dir, o, f)
	if err != nil {
		t.Fatal(err)
	}
	if s.Recovered().Err != nil {
		t.Fatal(s.Recovered().Err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

// stateDir is a directory that does not exist yet.
func stateDir(t testing.TB) string { return t.TempDir() + "/state" }

type text string

func (s text) Size() int64 { return int64(len(s)) }

func (s text) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, string(s))
	return int64(n), err
}

func hipaa() policy.Profile {
	return policy.Profile{Name: "hipaa", Mode: policy.ModeForced, Versions: tlsnames.VersionsOf(tlsnames.TLS12, tlsnames.TLS13), Certificate: policy.CertificateNone}
}

func decision() *policy.Decision {
	p := hipaa()
	d := policy.For(policy.Sender{Name: p.Name, Profile: &p}, nil, policy.Facts{}, mail.Address{Local: "a", Domain: "b.test"})
	return &d
}

func address(s string) mail.Address {
	local, domain, _ := strings.Cut(s, "@")
	return mail.Address{Local: local, Domain: domain}
}

// incoming is message n for some recipients.
func incoming(n int, to ...string) Incoming {
	body := fmt.Sprintf("From: results@clinic.test\r\nMessage-ID: <%d@clinic.test>\r\nSubject: SUBJECT-%d\r\n\r\nMARKER-%d %s\r\n", n, n, n, strings.Repeat("x", 200))
	in := Incoming{
		Message: Message{
			QueueID: fmt.Sprintf("q%06d", n), Batch: "batch-1", File: fmt.Sprintf("batch/%d.eml", n), Source: sha256.Sum256([]byte(body)),
			ReversePath: address("results@clinic.test"), MessageID: fmt.Sprintf("<%d@clinic.test>", n),
			From: "Clinic <results@clinic.test>", Date: "Sun, 22 Nov 2026 08:30:00 +0000", EightBit: true, EnvelopeID: "e" + fmt.Sprint(n),
		},
		Body: text(body),
	}
	for _, a := range to {
		in.Recipients = append(in.Recipients, Addressee{address(a), decision()})
	}
	return in
}

func mustAdd(t testing.TB, s *Spool, in Incoming) Accepted {
	t.Helper()
	a, err := s.Add(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustClaim(t testing.TB, s *Spool, req ClaimRequest) []Entry {
	t.Helper()
	entries, err := s.Claim(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// ids are the recipients' numbers of entries.
func ids(entries ...Entry) []int64 {
	var out []int64
	for _, e := range entries {
		for i := range e.Recipients {
			out = append(out, e.Recipients[i].ID)
		}
	}
	return out
}

func delivered() delivery.Outcome {
	return delivery.Outcome{
		Status: delivery.Delivered, Code: 250, Enhanced: mail.Status{Class: 2}, Reply: mail.Reply{Code: 250, Status: mail.Status{Class: 2}, Lines: []string{"Ok: queued"}},
		Session: &delivery.Session{
			MX: "mx1.b.test", IP: "192.0.2.1", SourceIP: "198.51.100.1", Verified: policy.VerifiedNone, VerifyError: "it is signed by itself",
			Protection: policy.Protection{
				Encrypted: true, Version: tlsnames.TLS13, Suite: 0x1302, Group: 4588,
				Certificate: policy.PeerCertificate{SHA256: "aa", Subject: "CN=mx1", NotAfter: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)},
			},
		},
	}
}

func failed(status delivery.Status, reason policy.Reason) delivery.Outcome {
	reply := mail.Reply{Code: 451, Status: mail.Status{Class: 4, Subject: 7, Detail: 1}, Lines: []string{"come again"}}
	return delivery.Outcome{
		Status: status, Reason: reason, Code: 451, Enhanced: reply.Status, Reply: reply, Text: "mx1.b.test said so",
		Attempts: []delivery.Attempt{{
			Time: time.Date(2026, 11, 22, 8, 31, 0, 0, time.UTC), MX: "mx1.b.test", IP: "192.0.2.1", SourceIP: "198.51.100.1",
			Stage: delivery.StageRCPT, Reason: reason, Reply: reply, Text: "mx1.b.test said so", TLSVersion: "TLSv1.3",
		}},
	}
}

func mustSettle(t testing.TB, s *Spool, o delivery.Outcome, next time.Time, recipients ...int64) {
	t.Helper()
	var all []Settlement
	for _, id := range recipients {
		all = append(all, Settlement{Recipient: id, Outcome: o, Next: next})
	}
	if err := s.Settle(context.Background(), all...); err != nil {
		t.Fatal(err)
	}
}

// listed gathers a listing.
func listed(t testing.TB, rows func(func(Row, error) bool)) []Row {
	t.Helper()
	var out []Row
	for r, err := range rows {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func queued(t testing.TB, s *Spool) []Row { return listed(t, s.List(t.Context(), Filter{})) }

func recorded(t testing.TB, s *Spool) []Row {
	return listed(t, s.History(t.Context(), HistoryFilter{}))
}

// bodyOf reads a body.
func bodyOf(t testing.TB, s *Spool, m *Message) string {
	t.Helper()
	c, err := s.Body(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != c.Size() {
		t.Fatalf("%d octets of a body of %d", b.Len(), c.Size())
	}
	return b.String()
}
