package send_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/send"
)

// check holds the catalogue's invariants over a run: they are true of every batch, whatever
// the hosts did.
func (r *run) check(t *testing.T) {
	t.Helper()
	// (e) No connection outlives its run. Descriptors and goroutines are counted in TestMain.
	if n := r.open.Load(); n != 0 {
		t.Errorf("%d connections are still open", n)
	}
	if !r.odd.frozen {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := r.Wait(ctx); err != nil {
			t.Error(err)
		}
	}
	r.checkRows(t)
	r.checkSecrecy(t)
	r.checkCopies(t)
	if !r.odd.violations {
		for _, c := range r.connections() {
			if len(c.Violations) > 0 {
				t.Errorf("connection %d of %s saw violations: %q", c.Number, c.Host, c.Violations)
			}
		}
	}
}

// checkRows: every recipient has exactly one row and one settling, and a reason that people
// can read (invariants b and c).
func (r *run) checkRows(t *testing.T) {
	t.Helper()
	seen := map[string]int{}
	var s send.Summary
	for i := range r.Rows {
		row := r.Rows[i]
		s.Add(row)
		seen[rowKey(row.File, row.Recipient)]++
		checkOutcome(t, row, r.odd)
	}
	for key, n := range seen {
		if n != 1 || r.watcher.settled[key] != 1 {
			t.Errorf("%s has %d rows and settled %d times", key, n, r.watcher.settled[key])
		}
	}
	if len(seen) != r.watcher.planned || len(r.watcher.settled) != len(seen) {
		t.Errorf("%d recipients were planned, %d have rows, %d settled", r.watcher.planned, len(seen), len(r.watcher.settled))
	}
	if s.Recipients != s.Delivered+s.Bounced+s.Deferred+s.InDoubt || s.Delivered != s.Encrypted+s.Cleartext || s.Encrypted != s.Verified+s.Unverified {
		t.Errorf("the summary does not add up: %+v", s)
	}
	if s.Messages, s.Refused = r.Summary.Messages, len(r.Refused); s != r.Summary {
		t.Errorf("the summary is %+v, the rows say %+v", r.Summary, s)
	}
	if s.Messages+s.Refused != len(r.inputs) {
		t.Errorf("%d messages and %d refused of %d", s.Messages, s.Refused, len(r.inputs))
	}
}

// checkOutcome: status, codes and reason belong together, and every text is clean.
func checkOutcome(t *testing.T, row *send.Row, odd oddities) {
	t.Helper()
	o := row.Outcome
	for _, a := range o.Attempts {
		if !slices.Contains(policy.Reasons(), a.Reason) || a.Text == "" || a.Time.IsZero() {
			t.Errorf("%s: an attempt without reason, text or time: %+v", row.Recipient, a)
		}
		checkClean(t, a.Text)
	}
	if s := o.Session; s != nil {
		checkClean(t, s.VerifyError)
		checkClean(t, s.Protection.Certificate.Subject)
	}
	if o.Status == delivery.Delivered {
		if o.Code/100 != 2 || o.Reason != "" || o.Session == nil {
			t.Errorf("%s is delivered with code %d, reason %q, session %v", row.Recipient, o.Code, o.Reason, o.Session)
		}
		return
	}
	class := map[delivery.Status]int{delivery.Deferred: 4, delivery.InDoubt: 4, delivery.Bounced: 5}[o.Status]
	if class == 0 {
		t.Errorf("%s is %q", row.Recipient, o.Status)
	}
	if (o.Code/100 != class || !o.Enhanced.IsZero() && o.Enhanced.Class != class) && !odd.status {
		t.Errorf("%s is %s with the codes %d %s", row.Recipient, o.Status, o.Code, o.Enhanced)
	}
	if !slices.Contains(policy.Reasons(), o.Reason) || o.Text == "" || len(o.Attempts) == 0 {
		t.Errorf("%s is %s by reason %q, text %q and %d attempts", row.Recipient, o.Status, o.Reason, o.Text, len(o.Attempts))
	}
	checkClean(t, o.Text)
	final := o.Status == delivery.Bounced
	if row.Settled.IsZero() == final || row.Next.IsZero() != final || !final && !row.Next.After(row.Queued) {
		t.Errorf("%s is %s, settled at %v, next attempt at %v", row.Recipient, o.Status, row.Settled, row.Next)
	}
}

func checkClean(t *testing.T, text string) {
	t.Helper()
	if mail.Clean(text) != text {
		t.Errorf("not clean: %q", text)
	}
}

// checkSecrecy: nothing of what had to be encrypted was ever in clear (invariant a, T21).
func (r *run) checkSecrecy(t *testing.T) {
	t.Helper()
	var plain []byte
	for _, c := range r.connections() {
		plain = append(append(plain, bytes.ToLower(c.Plaintext)...), 0)
	}
	must := func(what string) {
		if bytes.Contains(plain, []byte(strings.ToLower(what))) {
			t.Errorf("%q was seen in clear", what)
		}
	}
	forced := map[string]bool{} // files with forced recipients only
	all := true
	for i := range r.Rows {
		row := r.Rows[i]
		if _, met := forced[row.File]; !met {
			forced[row.File] = true
		}
		if !row.Decision.Requirement.Encrypt {
			forced[row.File], all = false, false
			continue
		}
		must("rcpt to:<" + row.Recipient.String())
		if row.Cleartext() {
			t.Errorf("%s was delivered in clear", row.Recipient)
		}
	}
	for file, is := range forced {
		if is {
			must(marker + "-" + strings.TrimSuffix(file, ".eml"))
		}
	}
	if !all {
		return
	}
	for _, what := range []string{marker, "mail from", "rcpt to", "\r\ndata"} {
		must(what)
	}
	for _, c := range r.connections() {
		if c.TLS == nil && slices.ContainsFunc(c.Commands, saysMail) {
			t.Errorf("%s got %q in clear", c.Host, c.Commands)
		}
	}
}

// saysMail reports a command that has no business before TLS.
func saysMail(command string) bool {
	verb, _, _ := strings.Cut(strings.ToUpper(command), " ")
	return !slices.Contains([]string{"EHLO", "HELO", "STARTTLS", "QUIT", ""}, verb) && !strings.HasPrefix(verb, "\x16\x03")
}

// checkCopies: who is reported as delivered has one copy, got as the row says; who is not has
// none, unless it is in doubt.
func (r *run) checkCopies(t *testing.T) {
	t.Helper()
	copies := map[string][]sandbox.Delivery{}
	for _, d := range r.Received() {
		for _, rcpt := range d.Recipients {
			copies[rcpt.Address] = append(copies[rcpt.Address], d)
		}
	}
	want, doubted := map[string]int{}, map[string]bool{}
	for i := range r.Rows {
		row := r.Rows[i]
		addr := row.Recipient.String()
		want[addr] += 0
		if row.Outcome.Status == delivery.Delivered {
			want[addr]++
		}
		if row.Outcome.Status == delivery.InDoubt {
			doubted[addr] = true
			continue
		}
		if len(r.Rows) == len(r.inputs) || len(r.inputs) == 1 {
			checkCopy(t, row, copies[addr])
		}
	}
	for addr, n := range want {
		if len(copies[addr]) != n && !doubted[addr] {
			t.Errorf("%s is delivered %d times and has %d copies", addr, n, len(copies[addr]))
		}
	}
}

// checkCopy holds a row of a recipient with one message against the copy that its host got.
func checkCopy(t *testing.T, row *send.Row, copies []sandbox.Delivery) {
	t.Helper()
	if row.Outcome.Status != delivery.Delivered || len(copies) != 1 {
		return
	}
	d, s := copies[0], row.Outcome.Session
	if (d.TLS != nil) != row.Encrypted() || d.Host != s.MX {
		t.Errorf("%s went to %s, TLS %v; its row says %s, %v", row.Recipient, d.Host, d.TLS != nil, s.MX, row.Encrypted())
	}
	if d.TLS != nil && (d.TLS.Version != s.Protection.Version || d.TLS.Cipher != s.Protection.Suite) {
		t.Errorf("%s: the host saw %s %s, the row says %s %s", row.Recipient, d.TLS.Version, d.TLS.Cipher, s.Protection.Version, s.Protection.Suite)
	}
	if d.MailFrom != row.Sender.String() {
		t.Errorf("the reverse-path was %q, not %q", d.MailFrom, row.Sender)
	}
}

// explain logs what a failed case did.
func (r *run) explain(t *testing.T) {
	t.Helper()
	for i := range min(len(r.Rows), 10) {
		row := r.Rows[i]
		o := row.Outcome
		t.Logf("%s %s: %s %s %d %s, reply %q: %s", row.File, row.Recipient, o.Status, o.Reason, o.Code, o.Enhanced, o.Reply.String(), o.Text)
		for _, a := range o.Attempts {
			t.Logf("    %s %s %s %s definitive %v reply %q: %s", a.MX, a.Stage, a.Reason, a.TLSVersion, a.Definitive, a.Reply.String(), a.Text)
		}
	}
	conns := r.connections()
	for i := range min(len(conns), 10) {
		c := conns[i]
		t.Logf("connection %d of %s: TLS %v, handshake %q, commands %q", c.Number, c.Host, c.TLS, c.HandshakeError, c.Commands[:min(len(c.Commands), 12)])
	}
	for _, f := range r.Refused {
		t.Logf("refused: %+v", f)
	}
}
