package spool

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
)

// grep names the files below dir that hold a text.
func grep(t testing.TB, dir, text string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestSettledIsInTheRecord(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := openTest(t, stateDir(t), Options{Clock: c.Now})
	in := incoming(1, "a@b.test", "inClear@b.test", "c@d.test")
	in.Claim = true
	got := mustAdd(t, s, in)
	mine := ids(got.Entry)
	inClear := delivered()
	inClear.Session = &delivery.Session{MX: "mx.b.test", IP: "192.0.2.9", Verified: policy.VerifiedNone}
	bounced := failed(delivery.Bounced, policy.RecipientRejected)
	c.add(time.Second)
	if err := s.Settle(t.Context(), Settlement{Recipient: mine[0], Outcome: delivered()}, Settlement{Recipient: mine[1], Outcome: inClear}, Settlement{Recipient: mine[2], Outcome: bounced}); err != nil {
		t.Fatal(err)
	}
	if n := len(queued(t, s)); n != 0 {
		t.Fatalf("%d queued", n)
	}
	rows := recorded(t, s)
	if len(rows) != 3 {
		t.Fatalf("%d recorded", len(rows))
	}
	for i, want := range []delivery.Outcome{delivered(), inClear, bounced} {
		r := rows[i]
		if diff := cmp.Diff(want, r.Recipient.Outcome); diff != "" {
			t.Error(diff)
		}
		m := in.Message
		m.ID, m.Queued, m.body = got.Entry.Message.ID, r.Message.Queued, r.Message.body
		m.From, m.Date, m.EightBit, m.EnvelopeID = "", "", false, "" // of the queue, not of the record
		if r.Message != m || r.Recipient.Address != in.Recipients[i].Address || !r.Settled.Equal(c.Now()) || r.Recipient.Tries != 1 ||
			r.Recipient.Decision.Requirement.Key() != decision().Requirement.Key() || r.Recipient.Decision.Requirement.Because[0].Name != "hipaa" {
			t.Errorf("row %+v", r)
		}
		if r.Message.ContentSHA256() != got.Entry.Message.ContentSHA256() || r.Message.Size() != in.Body.Size() {
			t.Error("the record does not name what was sent")
		}
	}
	if i := rows[0].Record; rows[1].Record != i+1 || rows[2].Record != i+2 {
		t.Errorf("numbers %d %d %d", i, rows[1].Record, rows[2].Record)
	}
}

// After settlement no byte of the body is found anywhere, and no Subject ever was in the database.
func TestSettledBodiesAreGone(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s := openTest(t, dir, Options{})
	for i := range 30 {
		in := incoming(i, "a@b.test", "c@d.test")
		in.Claim = i%2 == 0
		mustAdd(t, s, in)
	}
	mustAdd(t, s, incoming(3, "a@b.test", "c@d.test")) // skipped: its body is not kept either
	if len(grep(t, dir, "MARKER")) == 0 {
		t.Fatal("the scan finds nothing")
	}
	for _, e := range mustClaim(t, s, ClaimRequest{}) {
		mustSettle(t, s, delivered(), time.Time{}, ids(e)...)
	}
	if err := s.Wiped(); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		if found := grep(t, dir, incoming(i).Body.(text).marker()); (len(found) == 0) != (i%2 == 1) {
			t.Errorf("body %d is in %v", i, found)
		}
	}
	for _, e := range queued(t, s) {
		mustSettle(t, s, failed(delivery.Bounced, policy.Expired), time.Time{}, e.Recipient.ID)
	}
	failures, err := s.PendingBounces(t.Context())
	if err != nil || len(failures) != 15 {
		t.Fatalf("%d bounces, %v", len(failures), err)
	}
	for _, f := range failures {
		if err := s.BounceDone(t.Context(), f.Rows[0].Record, f.Rows[1].Record); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"MARKER", "SUBJECT", "Clinic <results@", "Sun, 22 Nov"} {
		if found := grep(t, dir, text); len(found) > 0 {
			t.Errorf("%q is in %v", text, found)
		}
	}
	if found := grep(t, dir, "mx1.b.test"); len(found) == 0 {
		t.Error("the record is gone")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, bodiesName, "*")); len(left) > 0 {
		t.Errorf("segments are left: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ownersName, "*")); len(left) > 0 {
		t.Errorf("owners are left: %v", left)
	}
}

// marker is the part of a body that no other body has.
func (s text) marker() string {
	i := bytes.Index([]byte(s), []byte("MARKER-"))
	return string(s[i : i+11])
}

func TestSubjectIsNeverInTheDatabase(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s := openTest(t, dir, Options{})
	mustAdd(t, s, incoming(1, "a@b.test"))
	for _, path := range append(grep(t, dir, "SUBJECT"), grep(t, dir, "MARKER")...) {
		if filepath.Ext(path) != segmentSuffix {
			t.Errorf("it is in %s", path)
		}
	}
}

// A body that is settled while others in its segment live leaves those alone; a full segment
// goes once it is empty.
func TestSegmentsRotate(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s := openTest(t, dir, Options{})
	large := text(bytes.Repeat([]byte("0123456789abcdef"), segmentSize/16-100))
	var entries []Entry
	for i := range 3 {
		in := incoming(i, "a@b.test")
		in.Claim = true
		if i != 1 {
			in.Body = large
		}
		entries = append(entries, mustAdd(t, s, in).Entry)
	}
	segments := func() int {
		if err := s.Wiped(); err != nil {
			t.Fatal(err)
		}
		left, _ := filepath.Glob(filepath.Join(dir, bodiesName, "*"))
		return len(left)
	}
	if n := segments(); n != 2 {
		t.Fatalf("%d segments", n)
	}
	mustSettle(t, s, delivered(), time.Time{}, ids(entries[0])...)
	if n := segments(); n != 2 {
		t.Fatalf("%d segments while a body lives in each", n)
	}
	if body := bodyOf(t, s, &entries[1].Message); body != string(incoming(1).Body.(text)) {
		t.Error("a neighbour was overwritten")
	}
	mustSettle(t, s, delivered(), time.Time{}, ids(entries[1])...)
	if n := segments(); n != 1 {
		t.Fatalf("%d segments, the first is empty", n)
	}
	if bodyOf(t, s, &entries[2].Message) != string(large) {
		t.Error("the large body is another one")
	}
	mustSettle(t, s, delivered(), time.Time{}, ids(entries[2])...)
}

// A recipient that is settled twice at once is a mistake, of which nothing is written.
func TestSettledTwiceAtOnce(t *testing.T) {
	t.Parallel()
	s := openTest(t, stateDir(t), Options{})
	in := incoming(1, "a@b.test", "b@b.test")
	in.Claim = true
	mine := ids(mustAdd(t, s, in).Entry)
	once := Settlement{Recipient: mine[0], Outcome: delivered()}
	if err := s.Settle(t.Context(), once, Settlement{Recipient: mine[1], Outcome: delivered()}, once); err == nil {
		t.Error("it was taken")
	}
	if n := len(recorded(t, s)); n != 0 || len(queued(t, s)) != 2 {
		t.Errorf("%d recorded, and %d queued", n, len(queued(t, s)))
	}
}

func TestRuns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		numbers []int64
		want    [][2]int64
	}{
		{nil, nil},
		{[]int64{7}, [][2]int64{{7, 7}}},
		{[]int64{3, 1, 2, 9, 5, 6}, [][2]int64{{1, 3}, {5, 6}, {9, 9}}},
		{[]int64{2, 1, 2, 4}, [][2]int64{{1, 2}, {4, 4}}},
	} {
		var got [][2]int64
		for first, last := range runs(tt.numbers) {
			got = append(got, [2]int64{first, last})
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("runs of %v: %s", tt.numbers, diff)
		}
	}
}
