package spool

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// locals names the local parts of rows.
func locals(rows []Row) []string {
	out := []string{}
	for _, r := range rows {
		out = append(out, r.Recipient.Address.Local)
	}
	return out
}

// mixed is a queue of recipients in every state.
func mixed(t *testing.T) (*Spool, *clock) {
	c := newClock()
	s := openTest(t, stateDir(t), Options{Clock: c.Now})
	other := incoming(1, "queued@b.test", "claimed@b.test", "deferred@c.test", "doubt@c.test", "held@d.test")
	other.Message.ReversePath = address("news@letters.test")
	for i := range other.Recipients {
		other.Recipients[i].Decision.Profile = "newsletter"
	}
	mustAdd(t, s, other)
	claimed := ids(mustClaim(t, s, ClaimRequest{})...)
	mustSettle(t, s, failed(delivery.Deferred, policy.Greylisted), c.Now().Add(time.Hour), claimed[2])
	mustSettle(t, s, failed(delivery.InDoubt, policy.ConnectionLost), c.Now().Add(time.Hour), claimed[3])
	mustSettle(t, s, failed(delivery.Held, ""), time.Time{}, claimed[4])
	if err := s.Release(t.Context(), claimed[0]); err != nil {
		t.Fatal(err)
	}
	c.add(time.Hour)
	mustAdd(t, s, incoming(2, "young@b.test"))
	return s, c
}

func TestFilters(t *testing.T) {
	t.Parallel()
	s, c := mixed(t)
	for name, tt := range map[string]struct {
		filter Filter
		want   []string
	}{
		"all":               {Filter{}, []string{"queued", "claimed", "deferred", "doubt", "held", "young"}},
		"status":            {Filter{Statuses: []delivery.Status{delivery.Held, delivery.InDoubt}}, []string{"doubt", "held"}},
		"profile":           {Filter{Profile: "hipaa"}, []string{"young"}},
		"domain":            {Filter{Recipient: mail.Address{Domain: "c.test"}}, []string{"deferred", "doubt"}},
		"recipient":         {Filter{Recipient: address("doubt@c.test")}, []string{"doubt"}},
		"sender":            {Filter{Sender: address("results@clinic.test")}, []string{"young"}},
		"sender's domain":   {Filter{Sender: mail.Address{Domain: "letters.test"}, Statuses: []delivery.Status{delivery.Held}}, []string{"held"}},
		"reason":            {Filter{Reason: string(policy.Greylisted)}, []string{"deferred"}},
		"older":             {Filter{QueuedBefore: c.Now()}, []string{"queued", "claimed", "deferred", "doubt", "held"}},
		"ids":               {Filter{IDs: []string{"q000002", "nobody"}}, []string{"young"}},
		"hostile":           {Filter{Profile: "' OR 1=1 --", IDs: []string{"'"}}, []string{}},
		"nothing fits both": {Filter{Profile: "hipaa", Statuses: []delivery.Status{delivery.Held}}, []string{}},
	} {
		if got := locals(listed(t, s.List(t.Context(), tt.filter))); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	for range s.List(t.Context(), Filter{}) {
		break // a listing may be left
	}
	n, err := s.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[delivery.Status]int{delivery.Queued: 3, delivery.Deferred: 1, delivery.InDoubt: 1, delivery.Held: 1}
	if fmt.Sprint(n.ByStatus) != fmt.Sprint(want) || n.Recipients != 6 || n.Messages != 2 || n.Claimed != 1 || n.Due != 4 || n.Octets == 0 {
		t.Errorf("counts %+v", n)
	}
	if names, err := s.ProfilesInUse(t.Context()); err != nil || !slices.Equal(names, []string{"hipaa", "newsletter"}) {
		t.Errorf("profiles %v, %v", names, err)
	}
}

func TestHoldReleaseCancel(t *testing.T) {
	t.Parallel()
	s, _ := mixed(t)
	letters := Filter{Sender: mail.Address{Domain: "letters.test"}}
	changed, err := s.Hold(t.Context(), letters)
	if err != nil || changed != (Changed{Done: 3, Busy: 1}) {
		t.Fatalf("hold: %+v, %v", changed, err)
	}
	if got := locals(listed(t, s.List(t.Context(), Filter{Statuses: []delivery.Status{delivery.Held}}))); !slices.Equal(got, []string{"queued", "deferred", "doubt", "held"}) {
		t.Errorf("held %v", got)
	}
	if got := mustClaim(t, s, ClaimRequest{All: true, Filter: letters}); len(got) != 0 {
		t.Errorf("held, and claimed: %+v", got)
	}
	if changed, err = s.ReleaseHeld(t.Context(), letters); err != nil || changed != (Changed{Done: 4, Busy: 1}) {
		t.Fatalf("release: %+v, %v", changed, err)
	}
	status := map[string]delivery.Status{}
	for _, r := range queued(t, s) {
		status[r.Recipient.Address.Local] = r.Recipient.Status
	}
	if status["queued"] != delivery.Queued || status["deferred"] != delivery.Deferred || status["doubt"] != delivery.InDoubt || status["held"] != delivery.Deferred {
		t.Errorf("released as %v", status)
	}
	if changed, err = s.Cancel(t.Context(), letters); err != nil || changed != (Changed{Done: 4, Busy: 1}) {
		t.Fatalf("cancel: %+v, %v", changed, err)
	}
	rows := recorded(t, s)
	if got := locals(rows); !slices.Equal(got, []string{"queued", "deferred", "doubt", "held"}) {
		t.Errorf("cancelled %v", got)
	}
	for _, r := range rows {
		if o := r.Recipient.Outcome; o.Status != delivery.Cancelled || o.Reason != policy.Cancelled || o.Code != 0 {
			t.Errorf("outcome %+v", o)
		}
	}
	if bounces, err := s.PendingBounces(t.Context()); err != nil || len(bounces) != 0 {
		t.Errorf("a cancelled message bounces: %+v, %v", bounces, err)
	}
}

// on_doubt = "hold": what is in doubt waits until it is released.
func TestDoubtIsHeld(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{OnDoubt: Hold})
	mustAdd(t, s, incoming(1, "a@b.test"))
	mustSettle(t, s, failed(delivery.InDoubt, policy.ConnectionLost), time.Time{}, ids(mustClaim(t, s, ClaimRequest{})...)...)
	if got := mustClaim(t, s, ClaimRequest{All: true}); len(got) != 0 {
		t.Fatalf("claimed %+v", got)
	}
	if changed, err := s.ReleaseHeld(t.Context(), Filter{}); err != nil || changed.Done != 1 {
		t.Fatalf("%+v, %v", changed, err)
	}
	got := mustClaim(t, s, ClaimRequest{})
	if len(got) != 1 || !got[0].Recipients[0].MaybeDuplicate() {
		t.Fatalf("claimed %+v", got)
	}
	mustSettle(t, s, delivered(), time.Time{}, ids(got...)...)
	if r := recorded(t, s)[0].Recipient; !r.MaybeDuplicate() || r.Tries != 2 || len(r.Outcome.Attempts) != 1 {
		t.Errorf("recorded %+v", r)
	}
}

func TestPostponeAndMakeDue(t *testing.T) {
	t.Parallel()
	s, c := mixed(t)
	until := c.Now().Add(time.Hour)
	if n, err := s.Postpone(t.Context(), until, "b.test"); err != nil || n != 2 {
		t.Fatalf("%d, %v", n, err)
	}
	if got := locals(rowsOf(mustClaim(t, s, ClaimRequest{Limit: 1}))); !slices.Equal(got, []string{"deferred"}) {
		t.Errorf("claimed %v", got)
	}
	if changed, err := s.MakeDue(t.Context(), Filter{Recipient: mail.Address{Domain: "b.test"}}); err != nil || changed.Done != 2 {
		t.Errorf("%+v, %v", changed, err)
	}
	if got := locals(rowsOf(mustClaim(t, s, ClaimRequest{Filter: Filter{Recipient: mail.Address{Domain: "b.test"}}}))); !slices.Equal(got, []string{"queued", "young"}) {
		t.Errorf("claimed %v", got)
	}
}

// rowsOf takes entries apart.
func rowsOf(entries []Entry) []Row {
	var out []Row
	for _, e := range entries {
		for _, r := range e.Recipients {
			out = append(out, Row{Message: e.Message, Recipient: r})
		}
	}
	return out
}

func TestHistoryFilters(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := openTest(t, stateDir(t), Options{Clock: c.Now})
	start := c.Now()
	inClear := delivered()
	inClear.Session = nil
	for i, o := range []delivery.Outcome{delivered(), inClear, failed(delivery.Bounced, policy.CertificateExpired), delivered()} {
		in := incoming(i, fmt.Sprintf("r%d@d%d.test", i, i%2))
		in.Claim = true
		e := mustAdd(t, s, in).Entry
		c.add(time.Minute)
		mustSettle(t, s, o, time.Time{}, ids(e)...)
	}
	first := recorded(t, s)[0].Record
	for name, tt := range map[string]struct {
		filter HistoryFilter
		want   []string
	}{
		"all":       {HistoryFilter{}, []string{"r0", "r1", "r2", "r3"}},
		"cleartext": {HistoryFilter{CleartextOnly: true}, []string{"r1"}},
		"since":     {HistoryFilter{Since: start.Add(3 * time.Minute)}, []string{"r2", "r3"}},
		"until":     {HistoryFilter{Until: start.Add(2 * time.Minute)}, []string{"r0"}},
		"after":     {HistoryFilter{After: first + 1}, []string{"r2", "r3"}},
		"newest":    {HistoryFilter{Newest: true, Limit: 2}, []string{"r3", "r2"}},
		"new ones":  {HistoryFilter{Newest: true, After: first + 1}, []string{"r3", "r2"}},
		"limit":     {HistoryFilter{Limit: 3}, []string{"r0", "r1", "r2"}},
		"status":    {HistoryFilter{Filter: Filter{Statuses: []delivery.Status{delivery.Bounced}}}, []string{"r2"}},
		"reason":    {HistoryFilter{Filter: Filter{Reason: string(policy.CertificateExpired)}}, []string{"r2"}},
		"domain":    {HistoryFilter{Filter: Filter{Recipient: mail.Address{Domain: "d1.test"}}}, []string{"r1", "r3"}},
		"recipient": {HistoryFilter{Filter: Filter{Recipient: address("r0@d0.test"), Profile: "hipaa", Sender: address("results@clinic.test"), IDs: []string{"q000000"}}}, []string{"r0"}},
		"old":       {HistoryFilter{Filter: Filter{QueuedBefore: start}}, []string{}},
	} {
		if got := locals(listed(t, s.History(t.Context(), tt.filter))); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// Listings of more than one page.
func TestPages(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{})
	const n = 2*pageSize + 1
	to := make([]string, n)
	for i := range to {
		to[i] = fmt.Sprintf("r%d@b.test", i)
	}
	mustAdd(t, s, incoming(1, to...))
	if got := len(queued(t, s)); got != n {
		t.Errorf("%d queued", got)
	}
	if changed, err := s.Cancel(t.Context(), Filter{}); err != nil || changed.Done != n {
		t.Errorf("%+v %v", changed, err)
	}
	for _, newest := range []bool{false, true} {
		rows := listed(t, s.History(t.Context(), HistoryFilter{Newest: newest}))
		sorted := slices.IsSortedFunc(rows, func(a, b Row) int {
			if newest {
				a, b = b, a
			}
			return int(a.Record - b.Record)
		})
		if len(rows) != n || !sorted {
			t.Errorf("newest %v: %d rows, sorted %v", newest, len(rows), sorted)
		}
	}
}

// A bounce is handed on exactly once, whoever tries.
func TestBouncesAreHandedOnOnce(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s, other := openTest(t, dir, Options{}), openTest(t, dir, Options{})
	in := incoming(1, "a@b.test", "c@d.test", "e@f.test")
	null := incoming(2, "a@b.test")
	null.Message.ReversePath = mail.Address{}
	own := incoming(3, "a@b.test")
	own.Message.Notification = true
	mustAdd(t, s, null)
	mustAdd(t, s, own)
	mustAdd(t, s, in)
	all := ids(mustClaim(t, s, ClaimRequest{})...)
	mustSettle(t, s, failed(delivery.Bounced, policy.RecipientRejected), time.Time{}, all[:4]...)
	if err := s.Wiped(); err != nil {
		t.Fatal(err)
	}
	pending, err := other.PendingBounces(t.Context())
	if err != nil || len(pending) != 1 || len(pending[0].Rows) != 2 || pending[0].Complete {
		t.Fatalf("%+v %v", pending, err)
	}
	f := pending[0]
	if f.Message.From != in.Message.From || f.Message.Date != in.Message.Date || f.Message.EnvelopeID != "e1" {
		t.Errorf("message %+v", f.Message)
	}
	records := []int64{f.Rows[0].Record, f.Rows[1].Record}
	bounce := incoming(4, "results@clinic.test")
	bounce.Message.Notification, bounce.Message.ReversePath, bounce.Reports, bounce.Claim = true, mail.Address{}, records, true
	mustAdd(t, s, bounce)
	bounce.Message.Source[0]++
	if got, err := other.Add(t.Context(), bounce); !errors.Is(err, ErrReported) {
		t.Errorf("reported twice: %+v %v", got, err)
	}
	if err := other.BounceDone(t.Context(), records...); !errors.Is(err, ErrReported) {
		t.Errorf("done twice: %v", err)
	}
	mustSettle(t, s, failed(delivery.Bounced, policy.Expired), time.Time{}, all[4])
	if pending, err = s.PendingBounces(t.Context()); err != nil || len(pending) != 1 || !pending[0].Complete || len(pending[0].Rows) != 1 {
		t.Fatalf("%+v %v", pending, err)
	}
	if err := s.BounceDone(t.Context(), pending[0].Rows[0].Record); err != nil {
		t.Fatal(err)
	}
	if pending, err = s.PendingBounces(t.Context()); err != nil || len(pending) != 0 {
		t.Errorf("%+v %v", pending, err)
	}
}

// What was kept of the header goes once all is settled and the sender was told, from the disk too.
func TestHeaderIsForgotten(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s := openTest(t, dir, Options{})
	for n, o := range []delivery.Outcome{delivered(), failed(delivery.Bounced, policy.RecipientRejected)} {
		in := incoming(n, "a@b.test")
		in.Message.From, in.Message.Date, in.Claim = fmt.Sprintf("AUTHOR-%d", n), fmt.Sprintf("DATED-%d", n), true
		mustSettle(t, s, o, time.Time{}, ids(mustAdd(t, s, in).Entry)...)
	}
	kept := func(want ...string) {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		for _, mark := range []string{"AUTHOR-0", "DATED-0", "AUTHOR-1", "DATED-1"} {
			if got := len(grep(t, dir, mark)) > 0; got != slices.Contains(want, mark) {
				t.Errorf("%s: kept %t", mark, got)
			}
		}
		s = openTest(t, dir, Options{})
	}
	kept("AUTHOR-1", "DATED-1")
	pending, err := s.PendingBounces(t.Context())
	if err != nil || len(pending) != 1 || pending[0].Message.From != "AUTHOR-1" || pending[0].Message.Date != "DATED-1" {
		t.Fatalf("%+v %v", pending, err)
	}
	if err := s.BounceDone(t.Context(), pending[0].Rows[0].Record); err != nil {
		t.Fatal(err)
	}
	kept()
}

func TestNoticesOfDelay(t *testing.T) {
	t.Parallel()
	s, c := mixed(t)
	pending, err := s.PendingNotices(t.Context(), c.Now())
	if err != nil || len(pending) != 1 || len(pending[0].Recipients) != 1 || pending[0].Recipients[0].Address.Local != "deferred" || pending[0].Message.From == "" {
		t.Fatalf("%+v %v", pending, err)
	}
	notice := incoming(9, "results@clinic.test")
	notice.Message.Notification, notice.Notices = true, pending[0].Message.ID
	mustAdd(t, s, notice)
	notice.Again = true
	if _, err := s.Add(t.Context(), notice); !errors.Is(err, ErrReported) {
		t.Errorf("noticed twice: %v", err)
	}
	if err := s.NoticeDone(t.Context(), pending[0].Message.ID); !errors.Is(err, ErrReported) {
		t.Errorf("noticed twice: %v", err)
	}
	if pending, err = s.PendingNotices(t.Context(), c.Now()); err != nil || len(pending) != 0 {
		t.Errorf("%+v %v", pending, err)
	}
}
