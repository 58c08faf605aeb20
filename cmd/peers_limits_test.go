//go:build peers && linux

package cmd_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// checkSplit sends to more recipients than the server takes in a transaction (S29): it is
// asked again for the others, and everybody gets exactly one copy.
func checkSplit(t *testing.T, n *peersNet, server, home peerServer) {
	var to []string
	for i := range 23 {
		to = append(to, fmt.Sprintf("r%d@few.peer.test", i))
	}
	messages := map[string]string{"split": newMessage("split", strings.Join(to, ",\n\t"), secret+"\n")}
	r := n.send(t, "--profile", "hipaa", n.batch(t, messages))
	if r.status != statusOK || r.Summary["delivered"] != len(to) {
		t.Errorf("exit status %d, %v", r.status, r.Summary)
	}
	w := newWitness(t, n, server, home)
	for i := range r.Recipients {
		w.check(t, &r.Recipients[i], messages)
	}
}

// checkCrowd sends more messages than the server takes connections at a time (S30).
func checkCrowd(t *testing.T, n *peersNet, server, home peerServer) {
	messages := map[string]string{}
	for i := range 40 {
		id := fmt.Sprintf("crowd%02d", i)
		messages[id] = newMessage(id, id+"@lonely.peer.test", secret+"\n")
	}
	r := n.send(t, "--profile", "hipaa", n.batch(t, messages))
	if r.status != statusOK || r.Summary["delivered"] != len(messages) {
		t.Errorf("exit status %d, %v", r.status, r.Summary)
	}
	w := newWitness(t, n, server, home)
	for i := range r.Recipients {
		w.check(t, &r.Recipients[i], messages)
	}
}

// checkWatched is a stranger's first mail to a server behind postscreen, which speaks half of
// its greeting, waits, and lets nobody through who speaks too early, sends commands ahead
// without leave, or ends a line with LF alone. It defers the first time, whoever passes.
func checkWatched(t *testing.T, n *peersNet, server *postfix, home peerServer) {
	messages := map[string]string{}
	for _, id := range []string{"watched1", "watched2"} {
		messages[id] = newMessage(id, "someone@watched.peer.test", secret+"\n.\n")
	}
	dir := n.batch(t, messages)
	first := n.send(t, "--profile", "hipaa-strict", filepath.Join(dir, "watched1.eml"))
	if got := outcomeOf(&first.Recipients[0]); first.status != statusDeferred || !strings.HasPrefix(got, "deferred 450 4.3.2 ") {
		t.Errorf("exit status %d, %s", first.status, got)
	}
	second := n.send(t, "--profile", "hipaa-strict", filepath.Join(dir, "watched2.eml"))
	w := newWitness(t, n, server, home)
	for _, r := range []*sentReport{first, second} {
		w.check(t, &r.Recipients[0], messages)
	}
	if got := outcomeOf(&second.Recipients[0]); second.status != statusOK || !strings.HasPrefix(got, "delivered 250 2.0.0 TLSv1.3 ") {
		t.Errorf("exit status %d, %s", second.status, got)
	}
	log := server.log(t)
	if !strings.Contains(log, "PASS NEW [127.0.0.1]") {
		t.Error("postscreen did not let us pass")
	}
	for _, fault := range []string{"PREGREET", "COMMAND PIPELINING", "NON-SMTP COMMAND", "BARE NEWLINE", "HANGUP"} {
		if strings.Contains(log, ": "+fault) {
			t.Errorf("postscreen found fault with us: %s", fault)
		}
	}
}

// checkNotification makes the server itself fail the message after it took it: its own notice
// tells what it understood of the DSN parameters (RFC 3461).
func checkNotification(t *testing.T, n *peersNet, server peerServer) {
	messages := map[string]string{"dies": newMessage("dies", "someone@dies.peer.test", secret+"\n")}
	r := n.send(t, "--profile", "hipaa", n.batch(t, messages))
	if r.status != statusOK || len(r.Recipients) != 1 {
		t.Fatalf("exit status %d, %v", r.status, r.Summary)
	}
	var notices []arrived
	for _, a := range server.mail(t) {
		if slices.Contains(a.recipients, "ward@clinic.example") && strings.Contains(string(a.content), "someone@dies.peer.test") {
			notices = append(notices, a)
		}
	}
	if len(notices) != 1 {
		t.Fatalf("the server has sent %d notices", len(notices))
	}
	text := string(notices[0].content)
	_, body, _ := strings.Cut(text, "\r\n\r\n")
	if want := "Original-Envelope-Id: " + r.Recipients[0].QueueID + "\r\n"; !strings.Contains(body, want) { // ENVID
		t.Errorf("the server's notice does not say %q:\n%s", want, text)
	}
	if !strings.Contains(body, "Content-Type: text/rfc822-headers") || strings.Contains(body, "\r\n\r\n"+secret) { // RET=HDRS
		t.Errorf("the server has sent more than the header back:\n%s", text)
	}
}

// checkNullSender: nobody is told of a message that has the null reverse-path (M15).
func checkNullSender(t *testing.T, n *peersNet, server, home peerServer) {
	messages := map[string]string{"null": newMessage("null", "unknown@any.peer.test, someone@any.peer.test", secret+"\n")}
	r := n.send(t, "--profile", "hipaa", "--from", "<>", n.batch(t, messages))
	if r.status != statusBounced || r.Summary["bounced"] != 1 || r.Summary["delivered"] != 1 {
		t.Errorf("exit status %d, %v", r.status, r.Summary)
	}
	w := newWitness(t, n, server, home)
	for i := range r.Recipients {
		w.check(t, &r.Recipients[i], messages)
	}
	if got := w.notices["null"]; len(got) > 0 {
		t.Errorf("a message from the null reverse-path was answered: %s", got[0].content)
	}
}
