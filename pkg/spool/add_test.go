package spool

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

func TestAcceptedIsThereAfterReopening(t *testing.T) {
	t.Parallel()
	dir, c := stateDir(t), newClock()
	s := openTest(t, dir, Options{Clock: c.Now})
	in := incoming(1, "a@b.test", "c@d.test")
	got := mustAdd(t, s, in)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, dir, Options{Clock: c.Now})
	rows := queued(t, s)
	if len(rows) != 2 {
		t.Fatalf("%d rows", len(rows))
	}
	for i, r := range rows {
		m, want := r.Message, in.Message
		want.ID, want.Queued, want.body = got.Entry.Message.ID, c.Now(), m.body
		want.Source, want.From, want.Date, want.EightBit, want.EnvelopeID = m.Source, "", "", false, ""
		if m != want {
			t.Errorf("message %+v\nwant %+v", m, want)
		}
		if r.Recipient.Address != in.Recipients[i].Address || r.Recipient.Status != delivery.Queued || !r.Recipient.Next.Equal(c.Now()) ||
			r.Recipient.ID != got.Receipts[i].ID || r.Recipient.Claimed || r.Recipient.Fault != "" {
			t.Errorf("recipient %+v", r.Recipient)
		}
		if r.Recipient.Decision.Requirement.Key() != decision().Requirement.Key() {
			t.Errorf("requirement %+v", r.Recipient.Decision.Requirement)
		}
	}
	m, want := mustClaim(t, s, ClaimRequest{})[0].Message, in.Message
	want.ID, want.Queued, want.body = m.ID, c.Now(), m.body
	if m != want || m.ContentSHA256() != sha256.Sum256([]byte(in.Body.(text))) {
		t.Errorf("message %+v\nwant %+v", m, want)
	}
	if body := bodyOf(t, s, &m); body != string(in.Body.(text)) {
		t.Errorf("body %q", body)
	}
	if _, err := s.Body(t.Context(), &rows[0].Message); err == nil {
		t.Error("a listing's message has a body")
	}
}

// SPEC §4 Durability: what is skipped and what is sent again.
func TestTheSameAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		outcome delivery.Outcome // zero: left queued
		status  delivery.Status
		skipped bool
	}{
		{"queued", delivery.Outcome{}, delivery.Queued, true},
		{"deferred", failed(delivery.Deferred, policy.Greylisted), delivery.Deferred, true},
		{"held", failed(delivery.Held, ""), delivery.Held, true},
		{"in doubt", failed(delivery.InDoubt, policy.ConnectionLost), delivery.InDoubt, true},
		{"delivered", delivered(), delivery.Delivered, true},
		{"bounced", failed(delivery.Bounced, policy.RecipientRejected), delivery.Bounced, false},
		{"cancelled", delivery.Outcome{Status: delivery.Cancelled, Reason: policy.Cancelled}, delivery.Cancelled, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := openTest(t, stateDir(t), Options{})
			in := incoming(1, "a@b.test")
			in.Claim = tt.outcome.Status != ""
			first := mustAdd(t, s, in)
			if in.Claim {
				mustSettle(t, s, tt.outcome, time.Time{}, ids(first.Entry)...)
			}
			in.Message.QueueID = "again"
			for range 2 { // the second time it looks first
				second := mustAdd(t, s, in)
				known := second.Receipts[0].Known
				switch {
				case tt.skipped && (known == nil || known.Recipient.Status != tt.status || known.Message.QueueID != "q000001" || second.Entry.Message.ID != 0):
					t.Fatalf("not skipped: %+v, %+v", known, second.Entry)
				case !tt.skipped && (known != nil || len(second.Entry.Recipients) != 1):
					t.Fatalf("skipped: %+v", known)
				}
				if tt.skipped && known.Recipient.Outcome.Status != tt.status {
					t.Errorf("outcome %+v", known.Recipient.Outcome)
				}
				if !tt.skipped {
					return // it is queued now
				}
			}
			in.Again = true
			third := mustAdd(t, s, in)
			if third.Receipts[0].Known != nil || third.Receipts[0].ID == 0 {
				t.Errorf("again does not insist: %+v", third.Receipts[0])
			}
		})
	}
}

// A copy that was insisted on and came to nothing does not hide the one that was delivered.
func TestTheFirstCopyStaysKnown(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{})
	in := incoming(1, "a@b.test")
	in.Claim = true
	mustSettle(t, s, delivered(), time.Time{}, ids(mustAdd(t, s, in).Entry)...)
	in.Again, in.Message.QueueID = true, "second"
	mustSettle(t, s, failed(delivery.Bounced, policy.RecipientRejected), time.Time{}, ids(mustAdd(t, s, in).Entry)...)
	in.Message.QueueID = "third"
	third := mustAdd(t, s, in)
	in.Again, in.Message.QueueID = false, "fourth"
	for _, want := range []struct {
		id     string
		status delivery.Status
	}{{"third", delivery.Queued}, {"q000001", delivery.Delivered}} { // what is queued comes before what was delivered
		k := mustAdd(t, s, in).Receipts[0].Known
		if k == nil || k.Message.QueueID != want.id || k.Recipient.Status != want.status {
			t.Fatalf("known as %+v, want %v", k, want)
		}
		if want.id == "third" {
			mustSettle(t, s, failed(delivery.Bounced, policy.RecipientRejected), time.Time{}, ids(third.Entry)...)
		}
	}
}

func TestOnlyNewRecipientsAreAccepted(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{})
	mustAdd(t, s, incoming(1, "a@b.test"))
	in := incoming(1, "new@b.test", "a@b.test", "new@b.test")
	got := mustAdd(t, s, in)
	if len(got.Entry.Recipients) != 1 || got.Entry.Recipients[0].Address != address("new@b.test") {
		t.Fatalf("accepted %+v", got.Entry.Recipients)
	}
	if got.Receipts[0] != got.Receipts[2] || got.Receipts[1].Known == nil || got.Receipts[0].ID == 0 {
		t.Errorf("receipts %+v", got.Receipts)
	}
	// Another reverse-path, another source and another case of the local part are other mail.
	for _, change := range []func(*Incoming){
		func(in *Incoming) { in.Message.ReversePath = address("other@clinic.test") },
		func(in *Incoming) { in.Message.Source[0]++ },
		func(in *Incoming) { in.Recipients[0].Address.Local = "A" },
	} {
		in := incoming(1, "a@b.test")
		change(&in)
		if got := mustAdd(t, s, in); got.Receipts[0].Known != nil {
			t.Errorf("taken for known: %+v", got.Receipts[0].Known)
		}
	}
}

// A queued message keeps its requirement; a stricter one is joined in, a weaker one is not.
func TestStricterRequirementIsJoinedIn(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{})
	mustAdd(t, s, incoming(1, "a@b.test"))
	with := func(v tlsnames.Version, rules ...string) Incoming {
		p := hipaa()
		p.Versions = tlsnames.VersionsOf(v, tlsnames.TLS13)
		in := incoming(1, "a@b.test")
		d := policy.For(policy.Sender{Name: "hipaa", Profile: &p}, nil, policy.Facts{}, in.Recipients[0].Address)
		d.Rules = rules
		in.Recipients[0].Decision = &d
		return in
	}
	for _, v := range []tlsnames.Version{tlsnames.TLS10, tlsnames.TLS13, tlsnames.TLS12} {
		mustAdd(t, s, with(v, "rule-"+v.String()))
	}
	d := queued(t, s)[0].Recipient.Decision
	if d.Requirement.Versions() != tlsnames.VersionsOf(tlsnames.TLS13) || d.Mode != policy.ModeForced {
		t.Errorf("requirement %v", d.Requirement.Versions())
	}
	if len(d.Requirement.Because) < 2 {
		t.Errorf("because %v", d.Requirement.Because)
	}
}

func TestHeldAndClaimed(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{})
	held, claimed := incoming(1, "a@b.test"), incoming(2, "a@b.test")
	held.Hold, held.Claim, claimed.Claim = true, true, true
	if r := mustAdd(t, s, held).Entry.Recipients[0]; r.Status != delivery.Held || r.Claimed || !r.Next.IsZero() {
		t.Errorf("held: %+v", r)
	}
	entry := mustAdd(t, s, claimed).Entry
	if !entry.Recipients[0].Claimed {
		t.Errorf("claimed: %+v", entry.Recipients[0])
	}
	if got := mustClaim(t, s, ClaimRequest{All: true}); len(got) != 0 {
		t.Fatalf("claimed again: %+v", got)
	}
	if body := bodyOf(t, s, &entry.Message); body != string(claimed.Body.(text)) {
		t.Errorf("body %q", body)
	}
}

// badBody gives less or more than it announces, or fails.
type badBody struct {
	size int64
	data string
	err  error
}

func (b badBody) Size() int64 { return b.size }

func (b badBody) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, b.data)
	if err == nil {
		err = b.err
	}
	return int64(n), err
}

func TestBodyThatIsNotWhatItSays(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{})
	gone := errors.New("the file vanished")
	for name, b := range map[string]badBody{
		"short": {10, "12345", nil}, "long": {3, "12345", nil}, "broken": {5, "123", gone},
		"long, large": {writeSize + 1, strings.Repeat("x", 2*writeSize), nil},
	} {
		in := incoming(1, "a@b.test")
		in.Body = b
		_, err := s.Add(t.Context(), in)
		if err == nil || b.err != nil && !errors.Is(err, b.err) {
			t.Errorf("%s: %v", name, err)
		}
		var state *StateError
		if errors.As(err, &state) {
			t.Errorf("%s is no fault of the state directory: %v", name, err)
		}
	}
	if n := len(queued(t, s)); n != 0 {
		t.Errorf("%d rows", n)
	}
	// The bodies beside it are not touched.
	good := mustAdd(t, s, incoming(2, "a@b.test"))
	if !strings.Contains(bodyOf(t, s, &good.Entry.Message), "MARKER-2") {
		t.Error("body lost")
	}
}

func TestAddRefusals(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{})
	if _, err := s.Add(t.Context(), incoming(1)); err == nil {
		t.Error("no recipients: accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Add(ctx, incoming(1, "a@b.test")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Add(t.Context(), incoming(1, "a@b.test")); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// Many callers, with bodies of all sizes, over several segments.
func TestManyCallers(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{MaxGroup: 50})
	const n = 400
	bodies := make([]string, n)
	var wg sync.WaitGroup
	for c := range 16 {
		wg.Go(func() {
			for i := c; i < n; i += 16 {
				in := incoming(i, "a@b.test", "c@d.test")
				bodies[i] = strings.Repeat(string(rune('a'+i%26)), 1+i*997%(3*writeSize))
				in.Body = text(bodies[i])
				if _, err := s.Add(t.Context(), in); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	entries := mustClaim(t, s, ClaimRequest{})
	if len(entries) != n || len(ids(entries...)) != 2*n {
		t.Fatalf("%d messages", len(entries))
	}
	for _, r := range entries {
		var i int
		for _, c := range r.Message.QueueID[1:] {
			i = i*10 + int(c-'0')
		}
		if bodyOf(t, s, &r.Message) != bodies[i] {
			t.Fatalf("the body of %s is another one", r.Message.QueueID)
		}
	}
}
