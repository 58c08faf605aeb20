package bench

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// aHost runs a host until the test ends.
func aHost(t *testing.T, o hostOptions) *host {
	t.Helper()
	o.addresses = max(1, o.addresses)
	h, err := startHost(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.close)
	return h
}

// aClient connects, and ends with the test.
func aClient(t *testing.T, h *host, secure bool) *client {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(h.Port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	c := &client{conn: conn, in: bufio.NewReader(conn)}
	if err := c.begin(secure); err != nil {
		t.Fatal(err)
	}
	return c
}

// Each case is what a client writes at once after EHLO, the codes that come back, and what is counted.
func TestSinkSpeaksSMTP(t *testing.T) {
	t.Parallel()
	const envelope = "MAIL FROM:<a@b.test>\r\nRCPT TO:<r1@d0.test>\r\n"
	for name, c := range map[string]struct {
		says   string
		codes  string // "gone": the host hangs up
		octets []int  // of each message accepted
		faults int
	}{
		"a message":                   {says: envelope + "DATA\r\nx\r\n.\r\nQUIT\r\n", codes: "250 250 354 250 221", octets: []int{3}},
		"no content":                  {says: envelope + "DATA\r\n.\r\n", codes: "250 250 354 250", octets: []int{0}},
		"parameters":                  {says: "MAIL FROM:<> SIZE=9 BODY=8BITMIME\r\nRSET\r\n", codes: "250 250"},
		"small letters":               {says: "mail from:<a@b.test>\r\nrcpt to:<r1@d0.test>\r\ndata\r\nx\r\n.\r\n", codes: "250 250 354 250", octets: []int{3}},
		"two messages":                {says: envelope + "DATA\r\nx\r\n.\r\n" + strings.ReplaceAll(envelope, "r1", "r2") + "DATA\r\nyy\r\n.\r\n", codes: "250 250 354 250 250 250 354 250", octets: []int{3, 4}},
		"dots":                        {says: envelope + "DATA\r\n..\r\n...\r\n.a\r\n. \r\nb.\r\n.\r\n", codes: "250 250 354 250", octets: []int{3 + 4 + 3 + 3 + 4}},
		"a longest line":              {says: envelope + "DATA\r\n." + strings.Repeat("x", 998) + "\r\n.\r\n", codes: "250 250 354 250", octets: []int{1000}},
		"a line too long":             {says: envelope + "DATA\r\n" + strings.Repeat("x", 1000) + "\r\n.\r\n", codes: "250 250 354 554", faults: 1},
		"a line beyond every buffer":  {says: envelope + "DATA\r\n" + strings.Repeat("x", 100_000) + "\r\n.\r\nNOOP\r\n", codes: "250 250 354 554 250", faults: 1},
		"a bare LF":                   {says: envelope + "DATA\r\nx\ny\r\n.\r\n", codes: "250 250 354 554", faults: 1},
		"a bare CR":                   {says: envelope + "DATA\r\nx\ry\r\n.\r\n", codes: "250 250 354 554", faults: 1},
		"a chunk":                     {says: envelope + "BDAT 3 LAST\r\n.\r\nNOOP\r\n", codes: "250 250 250 250", octets: []int{3}},
		"two chunks":                  {says: envelope + "BDAT 5\r\nDATA\nBDAT 2 LAST\r\n\r\nNOOP\r\n", codes: "250 250 250 250 250", octets: []int{7}},
		"an empty last chunk":         {says: envelope + "BDAT 2\r\n\r\nBDAT 0 LAST\r\n", codes: "250 250 250 250", octets: []int{2}},
		"chunks of two messages":      {says: envelope + "BDAT 2 LAST\r\n\r\n" + strings.ReplaceAll(envelope, "r1", "r2") + "BDAT 4 LAST\r\n\r\n\r\n", codes: "250 250 250 250 250 250", octets: []int{2, 4}},
		"a chunk without a recipient": {says: "MAIL FROM:<>\r\nBDAT 5 LAST\r\nQUIT\nNOOP\r\n", codes: "250 503 250", faults: 1},
		"a chunk without a size":      {says: envelope + "BDAT x LAST\r\n", codes: "250 250 501 gone", faults: 1},
		"DATA among chunks":           {says: envelope + "BDAT 2\r\n\r\nDATA\r\nBDAT 0 LAST\r\n", codes: "250 250 250 503 250", octets: []int{2}, faults: 1},
		"RCPT among chunks":           {says: envelope + "BDAT 2\r\n\r\nRCPT TO:<r2@d0.test>\r\nBDAT 0 LAST\r\n", codes: "250 250 250 503 250", octets: []int{2}, faults: 1},
		"RCPT before MAIL":            {says: "RCPT TO:<r1@d0.test>\r\n", codes: "503", faults: 1},
		"DATA before RCPT":            {says: "MAIL FROM:<>\r\nDATA\r\n", codes: "250 503", faults: 1},
		"MAIL within a transaction":   {says: "MAIL FROM:<>\r\nMAIL FROM:<>\r\n", codes: "250 503", faults: 1},
		"unknown command":             {says: "HELP\r\n", codes: "500", faults: 1},
		"unknown parameter":           {says: "MAIL FROM:<> RET=HDRS\r\n", codes: "555", faults: 1},
		"no brackets":                 {says: "MAIL FROM:a@b.test\r\n", codes: "501", faults: 1},
		"a command that ends with LF": {says: "NOOP\n", codes: "501 gone", faults: 1},
		"commands behind STARTTLS":    {says: "STARTTLS\r\nNOOP\r\n", codes: "gone", faults: 1},
		"the same recipient again":    {says: envelope + "DATA\r\n.\r\n" + envelope + "DATA\r\n.\r\n", codes: "250 250 354 250 250 250 354 250", octets: []int{0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := aHost(t, hostOptions{offer: offer{clear: true, chunking: true}})
			cl := aClient(t, h, false)
			if _, err := cl.conn.Write([]byte(c.says)); err != nil {
				t.Fatal(err)
			}
			for code := range strings.FieldsSeq(c.codes) {
				if code == "gone" {
					if _, err := cl.in.ReadByte(); err == nil {
						t.Error("the host goes on")
					}
					break
				}
				line, err := cl.in.ReadString('\n')
				if err != nil || line[:3] != code {
					t.Fatalf("%q, %v; want %s", line, err, code)
				}
			}
			sum := 0
			for _, n := range c.octets {
				sum += n
			}
			got := h.sink.counts()
			if got.Messages != len(c.octets) || got.Recipients != len(c.octets) || got.Octets != sum || got.Faults != c.faults {
				t.Errorf("%+v", got)
			}
			if again := name == "the same recipient again"; (got.Repeated == 1) != again {
				t.Errorf("%d repeated", got.Repeated)
			}
		})
	}
}

// The replies to a pipelined group leave together.
func TestSinkAnswersAGroupAtOnce(t *testing.T) {
	t.Parallel()
	h := aHost(t, hostOptions{offer: offer{clear: true}})
	near, far := net.Pipe()
	defer near.Close()
	h.sink.running.Add(1)
	go h.sink.attend(far)
	b := make([]byte, 4096)
	var pieces []string
	read := func() {
		n, err := near.Read(b) // on a pipe, one Write of the peer's at most
		if err != nil {
			t.Fatal(err)
		}
		pieces = append(pieces, string(b[:n]))
	}
	read()
	fmt.Fprint(near, "EHLO a.test\r\nMAIL FROM:<>\r\nRCPT TO:<r1@d0.test>\r\nDATA\r\n")
	read()
	fmt.Fprint(near, "x\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<r2@d0.test>\r\nDATA\r\n")
	read()
	if got := strings.Count(pieces[1], "\r\n"); !strings.HasSuffix(pieces[1], replyOK+replyOK+replyGo) || got != strings.Count(h.sink.offered(), "\r\n")+3 {
		t.Errorf("%q", pieces[1])
	}
	if pieces[2] != replyOK+replyOK+replyOK+replyGo {
		t.Errorf("%q", pieces[2])
	}
}

// offered is what a session in clear text says to EHLO.
func (s *sink) offered() string { return newSession(s, nil).hello }

func TestSinkOffers(t *testing.T) {
	t.Parallel()
	for _, o := range []offer{{}, {chunking: true}, {limits: "MAILMAX=10"}} {
		s := &sink{offer: o}
		words := strings.Fields(strings.NewReplacer("250-", "", "250 ", "").Replace(s.offered()))
		for word, want := range map[string]bool{"PIPELINING": true, "SIZE": true, "8BITMIME": true, "STARTTLS": true, "CHUNKING": o.chunking, "LIMITS": o.limits != ""} {
			if slices.Contains(words, word) != want {
				t.Errorf("%+v: %q", o, words)
			}
		}
	}
}

// Mail needs TLS 1.3, and the second connection of a client that remembers resumes.
func TestSinkSpeaksTLS(t *testing.T) {
	t.Parallel()
	h := aHost(t, hostOptions{})
	if err := aClient(t, h, false).say([]byte("MAIL FROM:<>\r\n"), 530); err != nil {
		t.Error(err)
	}
	config := &tls.Config{InsecureSkipVerify: true, ServerName: "mx.test", ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for range 2 {
		c := aClient(t, h, false)
		if err := c.say([]byte("STARTTLS\r\n"), 220); err != nil {
			t.Fatal(err)
		}
		secured := tls.Client(c.conn, config)
		secured.SetDeadline(time.Now().Add(30 * time.Second))
		c.conn, c.in = secured, bufio.NewReader(secured)
		if err := c.say([]byte("MAIL FROM:<>\r\n"), 503); err != nil { // RFC 3207 §4.2: EHLO first
			t.Error(err)
		}
		if err := c.say([]byte("EHLO a.test\r\nMAIL FROM:<>\r\nQUIT\r\n"), 250, 250, 221); err != nil {
			t.Error(err)
		}
		if v := secured.ConnectionState().Version; v != tls.VersionTLS13 {
			t.Errorf("version %x", v)
		}
	}
	if c := h.sink.counts(); c.Full != 1 || c.Resumed != 1 || c.Connections != 3 {
		t.Errorf("%+v", c)
	}
	old := aClient(t, h, false)
	if err := old.say([]byte("STARTTLS\r\n"), 220); err != nil {
		t.Fatal(err)
	}
	if err := tls.Client(old.conn, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}).Handshake(); err == nil {
		t.Error("TLS 1.2 is taken")
	}
}

// The names below test lead to the host, and others to nothing.
func TestHostDNS(t *testing.T) {
	t.Parallel()
	h := aHost(t, hostOptions{})
	for _, network := range []string{"udp", "tcp"} {
		c := &dns.Client{Net: network, Timeout: 10 * time.Second}
		for _, q := range []struct {
			name  string
			kind  uint16
			want  string // in the answer; "" for none
			rcode int
		}{
			{"d3.test.", dns.TypeMX, "10 mx.d3.test.", dns.RcodeSuccess},
			{"D3.Test.", dns.TypeMX, "10 mx.d3.test.", dns.RcodeSuccess},
			{"mx.d4.test.", dns.TypeA, "127.0.0.1", dns.RcodeSuccess},
			{"mx.d4.test.", dns.TypeAAAA, "", dns.RcodeSuccess},
			{"d3.test.", dns.TypeTXT, "", dns.RcodeSuccess},
			{"_mta-sts.d3.test.", dns.TypeTXT, "", dns.RcodeNameError},
			{"else.where.", dns.TypeMX, "", dns.RcodeNameError},
		} {
			answer, _, err := c.ExchangeContext(t.Context(), new(dns.Msg).SetQuestion(q.name, q.kind), h.DNS)
			if err != nil {
				t.Fatal(err)
			}
			if answer.Rcode != q.rcode || (len(answer.Answer) == 1) != (q.want != "") || q.want != "" && !strings.HasSuffix(answer.Answer[0].String(), q.want) {
				t.Errorf("%s %s: %v", network, q.name, answer)
			}
		}
	}
}

// The host's process says where it is and what it counted, in JSON, and ends with its input.
func TestHostTalks(t *testing.T) {
	t.Parallel()
	h := aHost(t, hostOptions{})
	var out bytes.Buffer
	if err := h.talk(strings.NewReader("\n\n"), &out); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "\n"); got != 3 || !strings.Contains(out.String(), fmt.Sprintf(`"Port":%d`, h.Port)) || !strings.Contains(out.String(), `"Messages":0`) {
		t.Errorf("%s", out.String())
	}
}
