//go:build peers && linux

package cmd

import (
	"fmt"
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
	if r.status != exitOK || r.Summary["delivered"] != len(to) {
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
	if r.status != exitOK || r.Summary["delivered"] != len(messages) {
		t.Errorf("exit status %d, %v", r.status, r.Summary)
	}
	w := newWitness(t, n, server, home)
	for i := range r.Recipients {
		w.check(t, &r.Recipients[i], messages)
	}
}

// checkNotification makes the server itself fail the message after it took it: its own notice
// tells what it understood of the DSN parameters (RFC 3461).
func checkNotification(t *testing.T, n *peersNet, server peerServer) {
	messages := map[string]string{"dies": newMessage("dies", "someone@dies.peer.test", secret+"\n")}
	r := n.send(t, "--profile", "hipaa", n.batch(t, messages))
	if r.status != exitOK || len(r.Recipients) != 1 {
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
	body := text[strings.Index(text, "\r\n\r\n"):]
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
	if r.status != exitBounced || r.Summary["bounced"] != 1 || r.Summary["delivered"] != 1 {
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
