package probe

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"testing"

	"github.com/sendctl/sendctl/pkg/hello"
	"github.com/sendctl/sendctl/pkg/smtp"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

const (
	goSuite  tlsnames.Suite = 0xc02f
	cbcSuite tlsnames.Suite = 0xc014
	dheSuite tlsnames.Suite = 0x009e
)

// server answers questions as a host with these versions does; suite of each.
type server struct {
	has    map[tlsnames.Version]tlsnames.Suite
	second map[tlsnames.Version]tlsnames.Suite // what it takes of usable suites alone
	forty  bool                                // it says handshake_failure where it means protocol_version
	strict bool                                // it says protocol_version where it lacks the newest asked for
	broken map[tlsnames.Version]error          // of questions up to a version
	humble tlsnames.Version                    // what the session with a small hello gets; zero: it fails too
}

func (s server) answer(q question) reply {
	if q.humble != smtp.HelloFull {
		if s.humble == 0 {
			return reply{failure: &smtp.Failure{}, handshake: &handshake{failure: &smtp.Failure{}}}
		}
		return reply{handshake: &handshake{version: s.humble, suite: suiteOf(s.humble)}}
	}
	if err := s.broken[q.max]; err != nil {
		return reply{err: err}
	}
	if _, ok := s.has[q.max]; !ok && s.strict && q.max < tlsnames.TLS12 {
		return reply{answer: hello.Answer{Kind: hello.Alert, Alert: 70}}
	}
	for v := q.max; v >= tlsnames.TLS10; v-- {
		suite, ok := s.has[v]
		if !ok {
			continue
		}
		if q.usable {
			if suite = s.second[v]; suite == 0 {
				return reply{answer: hello.Answer{Kind: hello.Alert, Alert: 40}}
			}
		}
		return reply{answer: hello.Answer{Kind: hello.ServerHello, Version: v, Suite: suite}}
	}
	if s.forty {
		return reply{answer: hello.Answer{Kind: hello.Alert, Alert: 40}}
	}
	return reply{answer: hello.Answer{Kind: hello.Alert, Alert: 70}}
}

func suiteOf(v tlsnames.Version) tlsnames.Suite {
	if v == tlsnames.TLS13 {
		return 0x1301
	}
	return goSuite
}

// climb runs a ladder against a server, the session's end coming after so many answers.
func climb(t *testing.T, s server, h handshake, after int) (string, int) {
	t.Helper()
	l := newLadder()
	open := l.seen()
	asked := len(open)
	ended := false
	for len(open) > 0 || !ended {
		if !ended && (after == 0 || len(open) == 0) {
			ended = true
			more := l.session(h)
			asked += len(more)
			open = append(open, more...)
			continue
		}
		after--
		q := open[0]
		more := l.replied(q, s.answer(q))
		asked += len(more)
		open = append(open[1:], more...)
	}
	got := ""
	answers := l.conclude()
	for _, v := range tlsnames.Versions() {
		got += map[Answer]string{Yes: "y", No: "n", Unknown: "?", Unusable: "u"}[answers[v.String()]]
	}
	return got, asked
}

func TestLadder(t *testing.T) {
	t.Parallel()
	all := tlsnames.Versions()
	having := func(suite tlsnames.Suite, vs ...tlsnames.Version) map[tlsnames.Version]tlsnames.Suite {
		m := map[tlsnames.Version]tlsnames.Suite{}
		for _, v := range vs {
			m[v] = suite
			if v == tlsnames.TLS13 {
				m[v] = suiteOf(v)
			}
		}
		return m
	}
	good := func(v tlsnames.Version) handshake { return handshake{version: v, suite: suiteOf(v)} }
	failed := handshake{failure: &smtp.Failure{Reason: "tls-handshake-failed"}}
	lost := handshake{failure: &smtp.Failure{Reason: "connection-lost", Retry: smtp.RetrySmall | smtp.RetryTLS12}}
	nothing := handshake{failure: alertFailure(t)}
	unread := handshake{version: tlsnames.TLS13, suite: 0x1301, failure: &smtp.Failure{}, certificate: true}
	closed := errors.New("closed")
	oldDHE := having(dheSuite, tlsnames.TLS10, tlsnames.TLS11, tlsnames.TLS12)
	belowDHE := having(dheSuite, all...)
	cbc := map[tlsnames.Version]tlsnames.Suite{tlsnames.TLS10: cbcSuite, tlsnames.TLS11: cbcSuite, tlsnames.TLS12: goSuite}
	for name, tt := range map[string]struct {
		server server
		full   handshake
		want   string
		most   int // questions
	}{
		"all four":            {server{has: having(goSuite, all...)}, good(tlsnames.TLS13), "yyyy", 3},
		"modern":              {server{has: having(goSuite, tlsnames.TLS12, tlsnames.TLS13)}, good(tlsnames.TLS13), "nnyy", 2},
		"1.3 only":            {server{has: having(goSuite, tlsnames.TLS13)}, good(tlsnames.TLS13), "nnny", 2},
		"1.3 only, 40":        {server{has: having(goSuite, tlsnames.TLS13), forty: true}, good(tlsnames.TLS13), "nnny", 2},
		"1.2 only":            {server{has: having(goSuite, tlsnames.TLS12)}, good(tlsnames.TLS12), "nnyn", 2},
		"1.0 only":            {server{has: having(goSuite, tlsnames.TLS10)}, good(tlsnames.TLS10), "ynnn", 1},
		"a gap":               {server{has: having(goSuite, tlsnames.TLS10, tlsnames.TLS12)}, good(tlsnames.TLS12), "ynyn", 1},
		"a gap, GnuTLS":       {server{has: having(goSuite, tlsnames.TLS10, tlsnames.TLS12), strict: true}, good(tlsnames.TLS12), "ynyn", 2},
		"40 means no":         {server{has: having(goSuite, tlsnames.TLS12), forty: true}, good(tlsnames.TLS12), "nnyn", 1},
		"40 and nothing else": {server{forty: true}, failed, "????", 3},
		"70 to all":           {server{}, failed, "nnnn", 3},
		"DHE only":            {server{has: having(dheSuite, tlsnames.TLS12)}, nothing, "nnun", 3},
		"DHE, all three":      {server{has: oldDHE}, nothing, "uuun", 3},
		"DHE, 1.0 only":       {server{has: having(dheSuite, tlsnames.TLS10)}, nothing, "unnn", 2},
		"DHE below":           {server{has: map[tlsnames.Version]tlsnames.Suite{tlsnames.TLS10: dheSuite, tlsnames.TLS12: goSuite}}, good(tlsnames.TLS12), "unyn", 2},
		"DHE below 1.2":       {server{has: map[tlsnames.Version]tlsnames.Suite{tlsnames.TLS10: dheSuite, tlsnames.TLS11: dheSuite, tlsnames.TLS12: goSuite}}, good(tlsnames.TLS12), "uuyn", 3},
		"DHE first":           {server{has: oldDHE, second: cbc}, good(tlsnames.TLS12), "yyyn", 3},
		"DHE first, 1.3":      {server{has: belowDHE, second: cbc}, good(tlsnames.TLS13), "yyyy", 3},
		"DHE at 1.2, 1.3":     {server{has: having(dheSuite, tlsnames.TLS12, tlsnames.TLS13)}, good(tlsnames.TLS13), "nnuy", 3},
		"DHE first at 1.1": {server{has: map[tlsnames.Version]tlsnames.Suite{tlsnames.TLS11: dheSuite, tlsnames.TLS12: dheSuite}, second: map[tlsnames.Version]tlsnames.Suite{tlsnames.TLS11: cbcSuite, tlsnames.TLS12: goSuite}},
			good(tlsnames.TLS12), "nyyn", 3},
		"certificate unread":       {server{has: having(goSuite, tlsnames.TLS12, tlsnames.TLS13)}, unread, "nnuu", 2},
		"certificate unread, all":  {server{has: having(goSuite, all...)}, unread, "uuuu", 3},
		"1.1 hello is closed":      {server{has: having(goSuite, tlsnames.TLS12), broken: map[tlsnames.Version]error{tlsnames.TLS11: closed}}, good(tlsnames.TLS12), "n?yn", 2},
		"all closed":               {server{broken: map[tlsnames.Version]error{tlsnames.TLS10: closed, tlsnames.TLS11: closed, tlsnames.TLS12: closed, tlsnames.TLS13: closed}}, failed, "????", 3},
		"chokes on long hellos":    {server{has: having(goSuite, tlsnames.TLS12, tlsnames.TLS13), humble: tlsnames.TLS13}, lost, "nnyy", 3},
		"chokes, 1.0 to 1.2":       {server{has: having(goSuite, tlsnames.TLS10, tlsnames.TLS11, tlsnames.TLS12), humble: tlsnames.TLS12}, lost, "yyyn", 3},
		"session fails for itself": {server{has: having(goSuite, all...)}, failed, "?yyy", 3},
	} {
		for after := range 3 {
			got, asked := climb(t, tt.server, tt.full, after)
			if got != tt.want || asked > tt.most {
				t.Errorf("%s, session over after %d answers: %s by %d questions, want %s by at most %d", name, after, got, asked, tt.want, tt.most)
			}
		}
	}
}

// alertFailure is the failure of a session for which the server has nothing.
func alertFailure(t *testing.T) *smtp.Failure {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	go func() {
		_, _ = far.Read(make([]byte, 4096))
		_, _ = far.Write([]byte("\x15\x03\x03\x00\x02\x02\x28")) // handshake_failure
		_ = far.Close()
	}()
	f := &smtp.Failure{Reason: "tls-cipher-mismatch", Definitive: true, Retry: smtp.RetrySmall}
	f.Err = tls.Client(near, &tls.Config{InsecureSkipVerify: true}).Handshake()
	if alert, ok := f.Alert(); !ok || alert != 40 {
		t.Fatalf("%v", f.Err)
	}
	return f
}

// A host that wants to be left alone is not asked again.
func TestLadderStops(t *testing.T) {
	t.Parallel()
	l := newLadder()
	l.seen()
	more := l.session(handshake{version: tlsnames.TLS13, suite: 0x1301})
	if !slices.Equal(more, []question{{max: tlsnames.TLS12}}) {
		t.Fatalf("asks %v", more)
	}
	if more := l.replied(question{max: tlsnames.TLS12}, reply{err: errors.New("421"), stop: true}); len(more) > 0 {
		t.Errorf("goes on asking %v", more)
	}
	if more := l.replied(question{max: tlsnames.TLS11}, reply{answer: hello.Answer{Kind: hello.ServerHello, Version: tlsnames.TLS11, Suite: dheSuite}}); len(more) > 0 {
		t.Errorf("goes on asking %v", more)
	}
	if got := l.conclude(); got["TLSv1.3"] != Yes || got["TLSv1.2"] != Unknown || got["TLSv1.0"] != Unknown {
		t.Errorf("%v", got)
	}
}

// A server that answers with a version that was not offered has answered nothing.
func TestLadderUnofferedVersion(t *testing.T) {
	t.Parallel()
	l := newLadder()
	l.seen()
	l.session(handshake{version: tlsnames.TLS12, suite: goSuite})
	l.replied(question{max: tlsnames.TLS11}, reply{answer: hello.Answer{Kind: hello.ServerHello, Version: tlsnames.TLS12, Suite: goSuite}})
	if got := l.conclude(); got["TLSv1.1"] != Unknown {
		t.Errorf("%v", got)
	}
}
