//go:build peers && linux

package cmd_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// checkContent sends messages of many kinds in one batch and demands that each arrives once,
// octet for octet, at each recipient.
func checkContent(t *testing.T, n *peersNet, server, home peerServer) {
	messages := map[string]string{
		"dots":     newMessage("dots", "dots@any.peer.test", ".\n..\n...\n.a\n\n.\n\n.."),
		"mixed":    newMessage("mixed", "mixed@any.peer.test", "LF\nCRLF\r\nLF\n\n\r\n.\r\n.\nno line end"),
		"empty":    newMessage("empty", "empty@any.peer.test", ""),
		"large":    newMessage("large", "large@any.peer.test", largeBody(2<<20)),
		"eightbit": newMessage("eightbit", "eightbit@any.peer.test", allOctets()),
		"quoted":   newMessage("quoted", `"two words"@any.peer.test, "dot..dot"@any.peer.test`, secret+"\n"),
		"idn":      newMessage("idn", "someone@bücher.peer.test", secret+"\n"),
		"utf8": "From: Jörg <ward@clinic.example>\nTo: jörg@any.peer.test, plain@any.peer.test\nSubject: Überweisung\n" +
			"Date: Mon, 5 Jan 2026 09:00:00 +0100\nMessage-ID: <utf8@clinic.example>\n\nGrüße\n",
		"hidden": "From: ward@clinic.example\nTo: to@any.peer.test\nBcc: hidden@any.peer.test\nbcc:\n\tother@any.peer.test\n" +
			"Date: Mon, 5 Jan 2026 09:00:00 +0100\nMessage-ID: <hidden@clinic.example>\nReceived: from elsewhere\n\n" + secret + "\n",
	}
	r := n.send(t, "--profile", "hipaa-strict", n.batch(t, messages))
	if r.status != statusOK || r.Summary["messages"] != len(messages) || r.Summary["delivered"] != 13 {
		t.Errorf("exit status %d, %v\n%s", r.status, r.Summary, r.stderr)
	}
	w := newWitness(t, n, server, home)
	for i := range r.Recipients {
		w.check(t, &r.Recipients[i], messages)
	}
	// RFC 6531 §4.3: the protocol's name says that SMTPUTF8 was used.
	for _, a := range w.mail["utf8"] {
		if !strings.HasPrefix(strings.ToUpper(a.received.proto), "UTF8") {
			t.Errorf("the message in UTF-8 came by %s", a.received.proto)
		}
	}
}

// allOctets is a body with every octet that 8BITMIME allows (RFC 6152 §3).
func allOctets() string {
	var b strings.Builder
	for c := 1; c < 256; c++ {
		if c != '\r' {
			fmt.Fprintf(&b, "%c", rune(c))
			b.WriteByte(byte(c))
		}
		if c%32 == 0 {
			b.WriteByte('\n')
		}
	}
	return b.String() + "\n"
}

// largeBody has lines of the greatest length, many of which begin with a dot, over every
// boundary of a buffer.
func largeBody(size int) string {
	var b strings.Builder
	for i := 0; b.Len() < size; i++ {
		line := fmt.Sprintf("%s%06d %s", strings.Repeat(".", i%4), i, secret)
		b.WriteString(line + strings.Repeat("x", 998-len(line)-i%7) + "\r\n")
	}
	return b.String()
}

// checkRecipients sends one message to many recipients: one transaction, an answer for each.
func checkRecipients(t *testing.T, n *peersNet, server, home peerServer) {
	var to []string
	want := map[string]string{}
	for i := range 30 {
		for _, name := range []string{"ok", "unknown", "later"} {
			if name == "ok" || i%10 == 3 {
				rcpt := fmt.Sprintf("%s%d@any.peer.test", name, i)
				if name != "ok" {
					rcpt = fmt.Sprintf("%s@any.peer.test", name)
				}
				to = append(to, rcpt)
				want[rcpt] = map[string]string{"ok": "delivered 250", "unknown": "bounced 550 5.1.1", "later": "deferred 451 4.2.1"}[name]
			}
		}
	}
	messages := map[string]string{"many": newMessage("many", strings.Join(to, ",\n "), secret+"\n")}
	trace := filepath.Join(n.dir, "many.trace")
	r := n.send(t, "--trace", trace, "--profile", "hipaa", n.batch(t, messages))
	if r.status != statusBounced || len(r.Recipients) != len(want) {
		t.Errorf("exit status %d, %v", r.status, r.Summary)
	}
	w := newWitness(t, n, server, home)
	for i := range r.Recipients {
		p := &r.Recipients[i]
		got := fmt.Sprintf("%s %d", p.Status, p.Code)
		if p.Status != "delivered" { // where Exim says no enhanced code
			got += " " + p.EnhancedCode
		}
		if got != want[p.Recipient] {
			t.Errorf("%s: %s, want %s", p.Recipient, got, want[p.Recipient])
		}
		w.check(t, p, messages)
	}
	if got := len(w.notices["many"]); got != 1 {
		t.Errorf("%d bounce messages came about one message", got)
	}
	talk := dialogue(t, trace, "mx.any.peer.test")
	if got := strings.Count(talk, "C MAIL"); got != 1 {
		t.Errorf("%d transactions for one message", got)
	}
}

// checkTrace reads what --trace wrote: the whole dialogue, no content, no keys.
func checkTrace(t *testing.T, n *peersNet, pipelining, without string) {
	messages := map[string]string{}
	for _, host := range []string{pipelining, without} {
		to := fmt.Sprintf("a@%[1]s.peer.test, b@%[1]s.peer.test", host)
		messages[host] = newMessage("trace-"+host, to, strings.Repeat(secret+"\n", 3000))
	}
	trace := filepath.Join(n.dir, "trace")
	r := n.send(t, "--trace", trace, "--profile", "mutual", n.batch(t, messages))
	if r.status != statusOK {
		t.Errorf("exit status %d, %v", r.status, r.Summary)
	}
	info, err := os.Stat(trace)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the trace can be read by others: %v", info.Mode())
	}
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, no := range []string{secret, "CLIENT_", "SECRET", "PRIVATE", "Subject", "Message-ID"} {
		if bytes.Contains(b, []byte(no)) {
			t.Errorf("the trace holds %q", no)
		}
	}
	// RFC 2920 §3.1: MAIL, RCPT and DATA leave in one group, before any of their replies came.
	if talk := dialogue(t, trace, "mx."+pipelining+".peer.test"); !regexp.MustCompile(`C MAIL\nC RCPT\nC RCPT\nC DATA\nS 250\nS 250\nS 250\nS 354\nS 250\n`).MatchString(talk) {
		t.Errorf("no group of commands left for the server with PIPELINING:\n%s", talk)
	}
	if talk := dialogue(t, trace, "mx."+without+".peer.test"); !regexp.MustCompile(`C MAIL\nS 250\nC RCPT\nS 250\nC RCPT\nS 250\nC DATA\nS 354\nS 250\n`).MatchString(talk) {
		t.Errorf("not one command after the other for the server without PIPELINING:\n%s", talk)
	}
}

// dialogue is a trace of one host, each line cut to who speaks and the first word.
func dialogue(t *testing.T, trace, host string) string {
	t.Helper()
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^\S+ ` + regexp.QuoteMeta(host) + ` \[[\d.]+\] ([CS]): (\w+)`)
	var out strings.Builder
	for l := range strings.Lines(string(b)) {
		if found := line.FindStringSubmatch(l); found != nil {
			out.WriteString(found[1] + " " + found[2] + "\n")
		}
	}
	return out.String()
}

// checkPoor sends what a server without extensions cannot take: 8-bit content (M11), a header
// in UTF-8, and one recipient in UTF-8 among others (M12).
func checkPoor(t *testing.T, n *peersNet, server, home peerServer, host string) {
	at := "@" + host + ".peer.test"
	messages := map[string]string{
		"poor-eightbit": newMessage("poor-eightbit", "a"+at, "Grüße, "+secret+"\n"),
		"poor-utf8":     newMessage("poor-utf8", "jörg"+at, secret+"\n"),
		"poor-one":      newMessage("poor-one", "undisclosed-recipients:;", secret+"\n"),
	}
	dir := n.batch(t, messages)
	r := n.send(t, "--profile", "hipaa", filepath.Join(dir, "poor-eightbit.eml"), filepath.Join(dir, "poor-utf8.eml"))
	one := n.send(t, "--profile", "hipaa", "--to", "müller"+at, "--to", "b"+at, filepath.Join(dir, "poor-one.eml"))
	w := newWitness(t, n, server, home)
	var got []string
	for _, p := range slices.Concat(r.Recipients, one.Recipients) {
		got = append(got, fmt.Sprintf("%s %s %d %s", p.Recipient, p.Status, p.Code, p.Reason))
		w.check(t, &p, messages)
	}
	want := []string{
		"a" + at + " bounced 550 eight-bit-not-supported",
		"jörg" + at + " bounced 550 smtputf8-not-supported",
		"müller" + at + " bounced 550 smtputf8-not-supported",
		"b" + at + " delivered 250 ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
