package smtp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

// streamed runs n transactions to one recipient each over a session in clear at a pace, and
// gives their answers.
func streamed(t testing.TB, pace Pace, n int, conn *canned, edit func(int, *Transaction)) (*Mailer, [][]Answer) {
	t.Helper()
	opts := options()
	opts.Pace, opts.Window, opts.Proven = pace, 4, 4
	s, f := Open(t.Context(), conn, Peer{Host: "mx.test", IP: "192.0.2.1"}, opts)
	if f == nil {
		f = s.Hello("mta1.test")
	}
	if f != nil {
		return nil, nil
	}
	m, f := s.Admit(policy.Requirement{})
	if f != nil {
		t.Fatal(f)
	}
	conn.said.Reset()
	answers, given := make([][]Answer, n), 0
	m.Stream(func() *Transaction {
		if given == n {
			return nil
		}
		i := given
		given++
		tx := &Transaction{
			From: address(fmt.Sprintf("s%d@a.test", i)), Recipients: []mail.Address{address(fmt.Sprintf("r%d@b.test", i))},
			Content: text{strings.NewReader("x\r\n")},
		}
		tx.Done = func(a []Answer) {
			if answers[i] != nil {
				t.Errorf("transaction %d is answered twice", i)
			}
			answers[i] = a
		}
		if edit != nil {
			edit(i, tx)
		}
		return tx
	})
	for i := given; i < n; i++ {
		answers[i] = []Answer{{Unsent: true}} // nobody asked for it
	}
	return m, answers
}

const offersAll = "220 mx\r\n250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n"

// What leaves at each pace, and in which order.
func TestStreamGroups(t *testing.T) {
	t.Parallel()
	envelope := func(i int) string { return fmt.Sprintf("MAIL FROM:<s%d@a.test>\r\nRCPT TO:<r%d@b.test>\r\n", i, i) }
	data := func(i int) string { return envelope(i) + "DATA\r\nx\r\n.\r\n" }
	chunk := func(i int) string { return envelope(i) + "BDAT 3 LAST\r\nx\r\nRSET\r\n" }
	one := "250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n"
	window := strings.Repeat("250 ok\r\n250 ok\r\n250 taken\r\n250 reset\r\n", 3)
	for _, c := range []struct {
		pace Pace
		says string
		said string
	}{
		{OneByOne, strings.Repeat(one, 3), data(0) + data(1) + data(2)},
		{Grouped, strings.Repeat(one, 3), data(0) + data(1) + data(2)},
		{Ahead, strings.Repeat(one, 3), envelope(0) + "DATA\r\nx\r\n.\r\n" + envelope(1) + "DATA\r\nx\r\n.\r\n" + envelope(2) + "DATA\r\nx\r\n.\r\n"},
		{Windowed, window, chunk(0) + chunk(1) + chunk(2)},
	} {
		conn := say(offersAll + c.says)
		m, answers := streamed(t, c.pace, 3, conn, nil)
		for i, a := range answers {
			if len(a) != 1 || !a[0].Delivered() {
				t.Errorf("pace %d, transaction %d: %+v", c.pace, i, a)
			}
		}
		if got := conn.said.String(); got != c.said {
			t.Errorf("pace %d: said %q", c.pace, got)
		}
		if !m.Usable() || m.Uses() != 3 || m.Pace() != c.pace {
			t.Errorf("pace %d: usable %v, %d uses, pace %d", c.pace, m.Usable(), m.Uses(), m.Pace())
		}
		m.Close()
	}
}

// A session whose server answers at once has several transactions made ready ahead, any other one
// just the next: what a slow one has is not there for others.
func TestStreamLooksAhead(t *testing.T) {
	t.Parallel()
	for think, want := range map[time.Duration]int{0: 1 + lookahead, prompt: 2} {
		synctest.Test(t, func(t *testing.T) {
			conn := say(offersAll + strings.Repeat("250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n", 8))
			conn.think = think
			under, most := 0, 0
			m, answers := streamed(t, Ahead, 8, conn, func(_ int, tx *Transaction) {
				under++
				most = max(most, under)
				done := tx.Done
				tx.Done = func(a []Answer) {
					under--
					done(a)
				}
			})
			if most != want || !answers[7][0].Delivered() {
				t.Errorf("%v a line: %d transactions at once, want %d; the last was answered %+v", think, most, want, answers[7])
			}
			m.Close()
		})
	}
}

// A recipient or sender that is refused within a window leaves the others theirs, and a message
// whose intent cannot be written does not leave at all.
func TestStreamWindow(t *testing.T) {
	t.Parallel()
	yes := "250 ok\r\n250 ok\r\n250 taken\r\n250 reset\r\n"
	for _, c := range []struct {
		name, says string
		want       string // of each transaction: stage and code, "doubt" or "unsent"
		pace       Pace   // afterwards
	}{
		{"all taken", yes + yes + yes, "final 250, final 250, final 250", Windowed},
		{"a sender refused", yes + "550 no\r\n503 no\r\n503 no\r\n250 reset\r\n" + yes, "final 250, mail 550, final 250", Windowed},
		{"a recipient refused", yes + "250 ok\r\n550 no\r\n554 none\r\n250 reset\r\n" + yes, "final 250, rcpt 550, final 250", Windowed},
		{"a message refused", yes + "250 ok\r\n250 ok\r\n554 no\r\n250 reset\r\n" + yes, "final 250, final 554, final 250", Windowed},
		{"421 in the middle", yes + "421 bye\r\n", "final 250, unsent, unsent", Windowed},
		{"421 to a recipient", yes + "250 ok\r\n421 bye\r\n", "final 250, rcpt 421, unsent", Windowed},
		{"lost", yes + "250 ok\r\n", "final 250, doubt, doubt", Ahead},
		{"lost after a refusal", yes + "250 ok\r\n550 no\r\n", "final 250, rcpt 550, doubt", Ahead},
		{"354", yes + "354 go\r\n", "doubt, doubt, doubt", Ahead},
		{"taken for nobody", yes + "250 ok\r\n550 no\r\n250 taken\r\n250 reset\r\n" + yes, "doubt, doubt, doubt", Ahead},
		{"one yes too many", yes + yes + yes + "250 more\r\n", "final 250, final 250, final 250", Ahead},
		{"one answer too many beside a no", yes + "250 ok\r\n550 no\r\n554 none\r\n250 reset\r\n" + yes + "250 more\r\n", "doubt, doubt, doubt", Ahead},
		{"no RSET", yes + "250 ok\r\n250 ok\r\n250 taken\r\n503 what\r\n" + yes, "final 250, final 250, final 250", Ahead},
		{"no RSET where it is needed", yes + "250 ok\r\n550 no\r\n554 none\r\n503 what\r\n" + yes, "doubt, doubt, doubt", Ahead},
		{"no BDAT for one of several", "250 ok\r\n250 ok\r\n502 what\r\n250 reset\r\n" + yes + yes, "final 502, final 250, final 250", Windowed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, answers := streamed(t, Windowed, 3, allAtOnce(offersAll, c.says), nil)
			var got []string
			for _, a := range answers {
				switch a := a[0]; {
				case a.Unsent:
					got = append(got, "unsent")
				case a.Doubt:
					got = append(got, "doubt")
				default:
					got = append(got, fmt.Sprintf("%s %d", a.Stage, a.Reply.Code))
				}
			}
			if got := strings.Join(got, ", "); got != c.want || m.Pace() != c.pace {
				t.Errorf("%s, then pace %d; want %s, then %d", got, m.Pace(), c.want, c.pace)
			}
			m.Close()
		})
	}
	t.Run("no BDAT", func(t *testing.T) {
		t.Parallel()
		m, answers := streamed(t, Windowed, 1, say(offersAll+"250 ok\r\n250 ok\r\n502 what\r\n"), nil)
		if !answers[0][0].Unsent || m.Pace() != Ahead {
			t.Errorf("%+v, then pace %d", answers[0][0], m.Pace())
		}
		m.Close()
	})
	t.Run("an intent that cannot be written", func(t *testing.T) {
		t.Parallel()
		full := errors.New("disk full")
		conn := say(offersAll + yes + yes)
		m, answers := streamed(t, Windowed, 3, conn, func(i int, tx *Transaction) {
			if i == 1 {
				tx.Commit = func() error { return full }
			}
		})
		if f := answers[1][0].Failure; f == nil || !errors.Is(f.Err, full) || f.Stage != delivery.StageContent {
			t.Errorf("%+v", answers[1][0])
		}
		if !answers[0][0].Delivered() || !answers[2][0].Delivered() || strings.Contains(conn.said.String(), "s1@a.test") {
			t.Errorf("the others: %+v, %+v; said %q", answers[0][0], answers[2][0], conn.said.String())
		}
		m.Close()
	})
}

// allAtOnce says what comes behind the greeting in one piece, as a server in a hurry does.
func allAtOnce(hello, rest string) *canned {
	c := say(hello + rest)
	c.whole = rest
	return c
}

// A session that has ended serves nobody, and says so of every recipient.
func TestSendOverNothing(t *testing.T) {
	t.Parallel()
	m, _ := mailer(t, nil)
	m.Close()
	answers := m.Send(&Transaction{Recipients: []mail.Address{address("a@b.test"), address("c@b.test")}})
	if len(answers) != 2 || !answers[0].Unsent || !answers[1].Unsent || answers[1].Failure == nil {
		t.Errorf("%+v", answers)
	}
}

// LIMITS (RFC 9422) is read whatever else stands in it.
func TestLimits(t *testing.T) {
	t.Parallel()
	for says, want := range map[string][2]int{
		"LIMITS MAILMAX=20 RCPTMAX=50": {20, 50}, "LIMITS rcptmax=1": {0, 1}, "LIMITS RCPTDOMAINMAX=1": {}, "LIMITS MAILMAX=x RCPTMAX=-1": {}, "SIZE": {},
	} {
		m, _ := mailer(t, []string{says})
		if n, r := m.Limits(); n != want[0] || r != want[1] {
			t.Errorf("%s: %d, %d", says, n, r)
		}
		m.Close()
	}
}

// FuzzStream: whatever a server says, every transaction of a stream has exactly one answer for
// each recipient, none is delivered without a yes, and none is asked for once the session ended.
func FuzzStream(f *testing.F) {
	yes := "250 ok\r\n250 ok\r\n250 taken\r\n250 reset\r\n"
	for _, s := range []string{"", yes, yes + yes + "421 bye\r\n", "250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n", "550 no\r\n503 no\r\n354 go\r\n", yes + "what?\r\n", "354 go\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, says []byte) {
		for pace := OneByOne; pace <= Windowed; pace++ {
			m, answers := streamed(t, pace, 6, say(offersAll+string(says)), nil)
			if m == nil {
				continue
			}
			positive := strings.Count("\n"+string(says), "\n2")
			for i, a := range answers {
				if len(a) != 1 {
					t.Fatalf("pace %d, transaction %d has %d answers", pace, i, len(a))
				}
				if a[0].Delivered() {
					positive--
				}
				if a[0].Failure == nil && a[0].Reply.IsZero() && !a[0].Unsent {
					t.Fatalf("pace %d, transaction %d has no answer: %+v", pace, i, a[0])
				}
			}
			if positive < 0 {
				t.Fatalf("pace %d: more is delivered than was taken", pace)
			}
			m.Close()
		}
	})
}
