package send_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/sandbox"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// fault is one case of the catalogue: what the hosts of fault.test do, and what has to become
// of every recipient of one message there.
type fault struct {
	name  string // its number in the catalogue, and the variant
	hosts []sandbox.Host
	slow  func(*smtp.Timeouts) // makes the timeouts under test brief
	size  int                  // octets of the message, at least
	rcpts int                  // zero: one
	alone bool                 // no PIPELINING: each command in its turn

	want map[way]want
	odd  oddities
	also func(*testing.T, *run)
}

// want is what has to become of each recipient. The zero value: delivered, over TLS.
type want struct {
	status  delivery.Status
	reason  policy.Reason
	codes   string // code and enhanced status, "550 5.7.10"
	says    string // in the text, or in the server's reply
	mx      string // the host that took it: mx, mx1, mx2 …
	clear   bool
	version tlsnames.Version
	// attempts names host and reason of what was tried before, "mx1 connect-failed"; nil: not looked at.
	attempts []string
}

func delivered(mx string, attempts ...string) want { return want{mx: mx, attempts: attempts} }

func inClear(mx string, attempts ...string) want {
	return want{mx: mx, clear: true, attempts: attempts}
}

func bounced(r policy.Reason, codes, says string) want {
	return want{status: delivery.Bounced, reason: r, codes: codes, says: says}
}

func deferred(r policy.Reason, codes, says string) want {
	return want{status: delivery.Deferred, reason: r, codes: codes, says: says}
}

func doubtful(r policy.Reason, codes, says string) want {
	return want{status: delivery.InDoubt, reason: r, codes: codes, says: says}
}

// both is the same in forced and in opportunistic mode.
func both(w want) map[way]want { return each(w, w) }

// each is one thing under a forced profile and another under an opportunistic one.
func each(forced, opportunistic want) map[way]want {
	return map[way]want{hipaa: forced, newsletter: opportunistic}
}

// certified is one thing where certificates are demanded, another where TLS alone is, and a
// third under an opportunistic profile.
func certified(verified, forced, opportunistic want) map[way]want {
	return map[way]want{strict: verified, custom: verified, hipaa: forced, newsletter: opportunistic}
}

// runFaults runs each case in each of its ways, in a sandbox of its own.
func runFaults(t *testing.T, faults []fault) {
	t.Helper()
	for i, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			ways := slices.Sorted(maps.Keys(f.want))
			if patience > 1 {
				ways = ways[i%len(ways):][:1]
			}
			for _, w := range ways {
				t.Run(string(w), func(t *testing.T) {
					t.Parallel()
					f.run(t, w)
				})
			}
		})
	}
}

func (f fault) run(t *testing.T, w way) {
	t.Helper()
	limits := timeouts()
	if f.slow != nil {
		limits = timeouts(f.slow)
	}
	l := newLab(t, plan{hosts: f.hosts, timeouts: limits, noGroups: f.alone})
	r := l.send(t, send.Options{Sender: l.sender(w)}, f.odd, letter("fault", f.size, to("fault.test", max(f.rcpts, 1))...))
	for i := range r.Rows {
		f.want[w].check(t, r.Rows[i])
	}
	r.within(t, promptly)
	if f.also != nil {
		f.also(t, r)
	}
	if t.Failed() {
		r.explain(t)
	}
}

// within holds that a run took no longer (invariant f).
func (r *run) within(t *testing.T, limit time.Duration) {
	t.Helper()
	if r.elapsed > limit {
		t.Errorf("it took %v", r.elapsed)
	}
}

func (w want) check(t *testing.T, row *send.Row) {
	t.Helper()
	o := row.Outcome
	if w.status == "" {
		w.status = delivery.Delivered
	}
	if o.Status != w.status || o.Reason != w.reason {
		t.Errorf("%s is %s %q, want %s %q", row.Recipient, o.Status, o.Reason, w.status, w.reason)
	}
	if got := strings.TrimSpace(fmt.Sprintf("%d %s", o.Code, o.Enhanced)); w.codes != "" && got != w.codes {
		t.Errorf("%s has the codes %s, want %s", row.Recipient, got, w.codes)
	}
	if !strings.Contains(o.Text+" | "+o.Reply.String(), w.says) {
		t.Errorf("%s: text %q and reply %q do not say %q", row.Recipient, o.Text, o.Reply.String(), w.says)
	}
	if w.status == delivery.Delivered {
		w.checkSession(t, row)
	}
	if w.attempts != nil {
		var got []string
		for _, a := range o.Attempts {
			got = append(got, strings.TrimSuffix(a.MX, ".fault.test")+" "+string(a.Reason))
		}
		if !slices.Equal(got, w.attempts) {
			t.Errorf("%s: attempts %q, want %q", row.Recipient, got, w.attempts)
		}
	}
}

func (w want) checkSession(t *testing.T, row *send.Row) {
	t.Helper()
	s := row.Outcome.Session
	if s == nil {
		t.Errorf("%s has no session", row.Recipient)
		return
	}
	if mx := strings.TrimSuffix(s.MX, ".fault.test"); w.mx != "" && mx != w.mx {
		t.Errorf("%s went to %s, want %s", row.Recipient, mx, w.mx)
	}
	if row.Encrypted() == w.clear {
		t.Errorf("%s: encrypted %v", row.Recipient, row.Encrypted())
	}
	if w.version != 0 && s.Protection.Version != w.version {
		t.Errorf("%s went by %s, want %s", row.Recipient, s.Protection.Version, w.version)
	}
}

// host makes a host that follows scripts, the first that answers.
func host(scripts ...sandbox.Script) sandbox.Host {
	return sandbox.Host{Script: sandbox.First(scripts...)}
}

// hosts is a list of them.
func hosts(all ...sandbox.Host) []sandbox.Host { return all }

// Which timeouts are brief.
func briefConnect(t *smtp.Timeouts)   { t.Connect = brief }
func briefGreeting(t *smtp.Timeouts)  { t.Greeting = brief }
func briefHandshake(t *smtp.Timeouts) { t.Handshake = brief }
func briefCommand(t *smtp.Timeouts)   { t.Command = brief }
func briefStart(t *smtp.Timeouts)     { t.DataStart = brief }
func briefBlock(t *smtp.Timeouts)     { t.DataBlock = brief }
func briefDone(t *smtp.Timeouts)      { t.DataDone = brief }
