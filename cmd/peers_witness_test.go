//go:build peers && linux

package cmd_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// witness holds what sendctl reports against what the servers filed.
type witness struct {
	n       *peersNet
	mail    map[string][]arrived // by Message-ID
	notices map[string][]arrived // bounce messages at the sender's domain, by the Message-ID that they are about
}

func newWitness(t *testing.T, n *peersNet, server, home peerServer) *witness {
	t.Helper()
	w := &witness{n: n, mail: map[string][]arrived{}, notices: map[string][]arrived{}}
	for _, a := range server.mail(t) {
		id := bareID(a.field("Message-ID"))
		w.mail[id] = append(w.mail[id], a)
	}
	for _, a := range home.mail(t) {
		about := bareID(a.field("In-Reply-To"))
		w.notices[about] = append(w.notices[about], a)
	}
	return w
}

// copies are what a server filed of one recipient's message.
func (w *witness) copies(r *sentRecipient) []arrived {
	var out []arrived
	for _, a := range w.mail[bareID(r.MessageID)] {
		if slices.Contains(a.recipients, r.Recipient) {
			out = append(out, a)
		}
	}
	return out
}

// check demands of a delivered recipient that exactly one message arrived, unaltered and in
// the way that sendctl says; of any other that none did.
func (w *witness) check(t *testing.T, r *sentRecipient, messages map[string]string) {
	t.Helper()
	got := w.copies(r)
	if r.Status != "delivered" {
		if len(got) > 0 {
			t.Errorf("%s is %s, but the server has the message: %s", r.Recipient, r.Status, got[0].received.field)
		}
		return
	}
	if len(got) != 1 {
		t.Errorf("%s is delivered, and the server has %d copies", r.Recipient, len(got))
		return
	}
	a := got[0]
	if a.returnPath != r.Sender {
		t.Errorf("%s: the server has the reverse-path %q, reported is %q", r.Recipient, a.returnPath, r.Sender)
	}
	want := canonical(messages[strings.TrimSuffix(filepath.Base(r.File), ".eml")])
	if !bytes.Equal(a.content, want) {
		t.Errorf("%s: the message arrived altered:\n%.2000q\nwant\n%.2000q", r.Recipient, a.content, want)
	}
	w.session(t, r, a.received)
}

// notice demands of a message with one recipient that a bounce message came to its sender if
// that recipient bounced, and none otherwise.
func (w *witness) notice(t *testing.T, r *sentRecipient) {
	t.Helper()
	got := w.notices[bareID(r.MessageID)]
	want := 0
	if r.Status == "bounced" {
		want = 1
	}
	if len(got) != want {
		t.Errorf("%s is %s, and %d bounce messages came to the sender", r.Recipient, r.Status, len(got))
	}
	for _, a := range got {
		w.noticeText(t, r, a)
	}
}

// noticeText reads a bounce message: encrypted where the message was to be, to the sender with
// the null reverse-path, with the facts and without the message.
func (w *witness) noticeText(t *testing.T, r *sentRecipient, a arrived) {
	t.Helper()
	diagnostic := "Diagnostic-Code: x-sendctl; "
	if r.Reply != "" {
		diagnostic = "Diagnostic-Code: smtp; " + r.Reply
	}
	text := strings.ReplaceAll(strings.ReplaceAll(string(a.content), "\r\n ", " "), "\r\n\t", " ")
	for _, want := range []string{
		"Final-Recipient: rfc822; " + r.Recipient + "\r\n", "Status: " + r.EnhancedCode + "\r\n", "Action: failed\r\n", diagnostic,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s: its bounce message does not say %q:\n%s", r.Recipient, want, text)
		}
	}
	if strings.Contains(text, secret) {
		t.Errorf("%s: its bounce message holds what may be confidential:\n%s", r.Recipient, text)
	}
	if a.returnPath != "" || !slices.Equal(a.recipients, []string{r.Sender}) {
		t.Errorf("%s: its bounce message came from <%s> to %s", r.Recipient, a.returnPath, a.recipients)
	}
	if forced := r.TLSMode == "forced"; forced && a.received.version < "TLSv1.2" {
		t.Errorf("%s: its bounce message came by %q although encryption was demanded", r.Recipient, a.received.version)
	}
	ip := "127.0.0.1"
	if r.Pool == "ward7" {
		ip = "127.0.7.7"
	}
	if a.received.ip != ip {
		t.Errorf("%s: its bounce message came from %s, the message's pool is %s", r.Recipient, a.received.ip, r.Pool)
	}
}

// session compares the facts of the session.
func (w *witness) session(t *testing.T, r *sentRecipient, got received) {
	t.Helper()
	host := w.n.host(t, strings.TrimSuffix(strings.TrimPrefix(r.MX, "mx."), ".peer.test"))
	var report received
	proto := "SMTP"
	if r.TLS != nil {
		report.version, report.cipher = r.TLS.Version, r.TLS.Cipher
		proto = "SMTPS"
		if r.TLS.CertificateSHA256 != fingerprint(host.cert) {
			t.Errorf("%s: another certificate is reported than the server has", r.Recipient)
		}
	}
	for _, c := range []struct{ what, reported, witnessed string }{
		{"TLS version", report.version, got.version},
		{"cipher suite", report.cipher, got.cipher},
		{"MX", r.MX, got.by},
		{"address", r.IP, host.addr},
		{"source address", r.SourceIP, got.ip},
	} {
		if c.reported != c.witnessed {
			t.Errorf("%s: sendctl reports %s %q, the server says %q: %s", r.Recipient, c.what, c.reported, c.witnessed, got.field)
		}
	}
	if r.TLS != nil && got.group != "" && !strings.EqualFold(got.group, r.TLS.Group) {
		t.Errorf("%s: sendctl reports the group %q, the server says %q", r.Recipient, r.TLS.Group, got.group)
	}
	if !strings.HasSuffix(strings.ToUpper(got.proto), proto) {
		t.Errorf("%s: the server says that it came by %s, want …%s", r.Recipient, got.proto, proto)
	}
	ehlo, ip := "mta1.clinic.example", "127.0.0.1"
	if r.Pool == "ward7" {
		ehlo, ip = "mta7.clinic.example", "127.0.7.7"
	}
	if got.ehlo != ehlo || got.ip != ip {
		t.Errorf("%s: from pool %s the server saw %s [%s], want %s [%s]", r.Recipient, r.Pool, got.ehlo, got.ip, ehlo, ip)
	}
	// The client certificate that a profile has is shown where it is asked for.
	client := ""
	if asks := strings.Contains(host.options, "ccert"); asks && (r.Profile == "mutual" || r.Profile == "stranger") {
		client = "mta1.clinic.example"
	}
	if got.client != client {
		t.Errorf("%s: the server saw the client certificate %q, want %q: %s", r.Recipient, got.client, client, got.field)
	}
}
