package send_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/spool"
)

// letters are n messages to one recipient each.
func letters(n int, domain string) []send.Input {
	all := make([]send.Input, n)
	for i := range all {
		all[i] = letter(fmt.Sprintf("m%d", i+1), 0, fmt.Sprintf("m%d-%s@%s", i+1, marker, domain))
	}
	return all
}

// inWays runs a test under a forced and an opportunistic profile.
func inWays(t *testing.T, name string, test func(*testing.T, way)) {
	t.Helper()
	for _, w := range []way{hipaa, newsletter} {
		t.Run(name+"/"+string(w), func(t *testing.T) {
			t.Parallel()
			test(t, w)
		})
	}
}

// counts holds how many rows of a run have each status.
func (r *run) counts(t *testing.T, want map[delivery.Status]int) {
	t.Helper()
	got := map[delivery.Status]int{}
	for i := range r.Rows {
		got[r.Rows[i].Outcome.Status]++
	}
	for _, s := range []delivery.Status{delivery.Delivered, delivery.Bounced, delivery.Deferred, delivery.InDoubt} {
		if got[s] != want[s] {
			t.Errorf("%d are %s, want %d", got[s], s, want[s])
		}
	}
	if t.Failed() {
		r.explain(t)
	}
}

// TestBatchOutOfStep is S21: one answer too many is noticed, nobody gets another's answer, and
// the host is talked to in single commands from then on.
func TestBatchOutOfStep(t *testing.T) {
	t.Parallel()
	// The host says that it knows PIPELINING and is surprised by it, which shows when it is used.
	claims := inTLS("EHLO", sandbox.Reply("250-mx.fault.test", "250-PIPELINING", "250 SIZE 1000000"))
	for name, extra := range map[string]sandbox.Script{
		"MAIL": sandbox.Nth("MAIL", 1, sandbox.Reply("250 2.1.0 ok", "250 2.1.0 ok")),
		"RCPT": sandbox.Nth("RCPT", 1, sandbox.Reply("250 2.1.5 ok", "550 5.1.1 no such user")),
		"DATA": sandbox.Nth("DATA", 1, sandbox.Reply("250 2.0.0 ok", "354 go on")),
	} {
		inWays(t, "S21/"+name, func(t *testing.T, w way) {
			l := newLab(t, plan{hosts: []sandbox.Host{{Keywords: []string{"SIZE 1000000"}, Script: sandbox.First(claims, extra)}}, lanes: 1})
			opts := send.Options{Sender: l.sender(w)}
			r := l.send(t, opts, oddities{violations: true}, letter("first", 0, to("fault.test", 3)...))
			for i := range r.Rows {
				deferred(policy.ProtocolError, "451 4.5.0", "out of step").check(t, r.Rows[i])
			}
			r = l.send(t, opts, oddities{violations: true}, letter("second", 0, "other-"+marker+"@fault.test"))
			r.counts(t, map[delivery.Status]int{delivery.Delivered: 1})
			conns := l.Connections()
			if len(conns) != 2 {
				t.Fatalf("%d connections", len(conns))
			}
			for i, want := range []bool{true, false} {
				grouped := slices.ContainsFunc(conns[i].Violations, func(v string) bool { return strings.Contains(v, "pipelined") })
				if grouped != want {
					t.Errorf("connection %d: commands in groups %v, want %v: %q", i+1, grouped, want, conns[i].Violations)
				}
			}
		})
	}
	// A shift of the answers must not bounce the one whose neighbour is unknown.
	inWays(t, "S21/all refused", func(t *testing.T, w way) {
		l := newLab(t, plan{hosts: hosts(host(
			sandbox.Nth("RCPT", 1, sandbox.Reply("550 5.1.1 no such user", "550 5.1.1 really not"))))})
		r := l.send(t, send.Options{Sender: l.sender(w)}, oddities{}, letter("shifted", 0, to("fault.test", 2)...))
		for i := range r.Rows {
			deferred(policy.ProtocolError, "451 4.5.0", "out of step").check(t, r.Rows[i])
		}
	})
}

// TestBatchReset is S22: a host that does not take RSET is left, and nothing is lost.
func TestBatchReset(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]*sandbox.Action{"503": sandbox.Reply("503 5.5.1 not now"), "no reply": sandbox.Hang(sandbox.Stall), "close": sandbox.Hang(sandbox.Close)} {
		inWays(t, "S22/"+name, func(t *testing.T, w way) {
			l := newLab(t, plan{lanes: 1, most: smtp.Ahead, timeouts: timeouts(briefCommand), hosts: hosts(host(
				sandbox.On("RSET", a), sandbox.Nth("RCPT", 2, sandbox.Reply("550 5.1.1 no such user"))))})
			r := l.send(t, send.Options{Sender: l.sender(w)}, oddities{}, letters(5, "fault.test")...)
			r.counts(t, map[delivery.Status]int{delivery.Delivered: 4, delivery.Bounced: 1})
			for _, c := range l.Connections() {
				if i := slices.Index(c.Commands, "RSET"); i >= 0 && len(c.Commands) > i+1 && c.Commands[i+1] != "QUIT" {
					t.Errorf("connection %d was used on: %q", c.Number, c.Commands)
				}
			}
		})
	}
}

// TestBatchBrokenReuse: a session that dies between two messages costs neither an attempt.
func TestBatchBrokenReuse(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]*sandbox.Action{
		"close": sandbox.Reply("250 2.0.0 taken").Then(sandbox.Close), "reset": sandbox.Reply("250 2.0.0 taken").Then(sandbox.Reset),
		"421": sandbox.Reply("250 2.0.0 taken", "421 4.3.2 enough for today").Then(sandbox.Close),
	} {
		inWays(t, "reuse/"+name, func(t *testing.T, w way) {
			l := newLab(t, plan{lanes: 1, most: smtp.Ahead, hosts: hosts(host(sandbox.On(sandbox.Dot, end)))})
			r := l.send(t, send.Options{Sender: l.sender(w)}, oddities{}, letters(5, "fault.test")...)
			r.counts(t, map[delivery.Status]int{delivery.Delivered: 5})
		})
	}
}

// TestBatchGreylist is S27: 451 first, then a time for the next attempt, and one copy in the end.
func TestBatchGreylist(t *testing.T) {
	t.Parallel()
	inWays(t, "S27", func(t *testing.T, w way) {
		memory, err := sandbox.OpenGreylist("")
		if err != nil {
			t.Fatal(err)
		}
		l := newLab(t, plan{hosts: hosts(host(memory.Script()))})
		opts := send.Options{Sender: l.sender(w)}
		r := l.send(t, opts, oddities{}, letter("grey", 0, to("fault.test", 2)...))
		for i := range r.Rows {
			deferred(policy.Greylisted, "451 4.7.1", "greylisted").check(t, r.Rows[i])
		}
		r = l.retry(t, opts, r)
		for i := range r.Rows {
			delivered("mx", "mx greylisted").check(t, r.Rows[i])
		}
	})
}

// retry tries again at once what a run put off.
func (l *lab) retry(t *testing.T, opts send.Options, of *run) *run {
	t.Helper()
	r := l.begin(of.odd, of.inputs)
	r.Report = send.Run(t.Context(), l.config(r.watcher), unchanged(opts), send.RunOptions{Filter: of.queueIDs(), Now: true})
	r.check(t)
	return r
}

// queueIDs picks the messages of a run.
func (r *run) queueIDs() spool.Filter {
	var ids []string
	for i := range r.Rows {
		ids = append(ids, r.Rows[i].QueueID)
	}
	slices.Sort(ids)
	return spool.Filter{IDs: slices.Compact(ids)}
}

// unchanged is a configuration that is still what a batch was accepted under.
func unchanged(opts send.Options) send.Current {
	decider := policy.NewDecider(opts.Sender, opts.Rules)
	return send.Current{Decide: func(_ string, f policy.Facts, rcpt mail.Address) (*policy.Decision, bool) {
		return decider.For(f, rcpt), true
	}}
}

// TestBatchManyRecipients is S29: a host takes no more than so many at once.
func TestBatchManyRecipients(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n, limit int
		reply    string
	}{
		{5000, 100, "452 4.5.3 too many recipients"},
		{1000, 30, "452 4.5.3 too many recipients"},
		{1000, 30, "552 too many recipients"},
		{40, 1, "452 4.5.3 one at a time"},
	} {
		inWays(t, fmt.Sprintf("S29/%d at a time, %.3s", c.limit, c.reply), func(t *testing.T, w way) {
			full := sandbox.When(func(e sandbox.Event) bool { return e.Verb == "RCPT" && len(e.Recipients) >= c.limit }, sandbox.Reply(c.reply))
			l := newLab(t, plan{hosts: hosts(host(full)), keep: sandbox.KeepEnvelopes})
			all := make([]mail.Address, c.n)
			for i := range all {
				all[i] = mail.Address{Local: fmt.Sprintf("r%d-%s", i, marker), Domain: "fault.test"}
			}
			r := l.send(t, send.Options{Sender: l.sender(w), To: all}, oddities{}, letter("many", 0, "nobody@fault.test"))
			r.counts(t, map[delivery.Status]int{delivery.Delivered: c.n})
		})
	}
}

// TestBatchConnectionLimit is S30: concurrency falls to what the host allows.
func TestBatchConnectionLimit(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 2} {
		inWays(t, fmt.Sprintf("S30/%d", limit), func(t *testing.T, w way) {
			var most atomic.Int64
			count := func(e sandbox.Event) *sandbox.Action {
				for n := int64(e.Open); e.Verb == sandbox.Dot; {
					if old := most.Load(); old >= n || most.CompareAndSwap(old, n) {
						break
					}
				}
				return nil
			}
			h := host(count)
			h.MaxConnections = limit
			l := newLab(t, plan{hosts: hosts(h), lanes: 6})
			r := l.send(t, send.Options{Sender: l.sender(w)}, oddities{}, letters(120, "fault.test")...)
			r.counts(t, map[delivery.Status]int{delivery.Delivered: 120})
			if n := l.Servers()[0].Connected(); n > 10 {
				t.Errorf("%d connections were tried at a host that allows %d", n, limit)
			}
			if n := most.Load(); n < int64(limit) {
				t.Errorf("never more than %d at once", n)
			}
		})
	}
}
