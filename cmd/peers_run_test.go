//go:build peers && linux

package cmd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Exit statuses as scripts see them (SPEC §3).
const (
	statusOK       = 0
	statusInvalid  = 65
	statusBounced  = 69
	statusDeferred = 75
)

// sentReport is `send -o json` as a script would read it (SPEC §3).
type sentReport struct {
	Profile    string          `json:"profile"`
	Summary    map[string]int  `json:"summary"`
	Recipients []sentRecipient `json:"recipients"`
	Refused    []struct {
		File  string `json:"file"`
		Line  int    `json:"line"`
		Error string `json:"error"`
	} `json:"refused"`

	status int    // the exit status
	stderr string // what was said beside
}

type sentRecipient struct {
	File         string   `json:"file"`
	QueueID      string   `json:"queue_id"`
	MessageID    string   `json:"message_id"`
	Sender       string   `json:"sender"`
	Recipient    string   `json:"recipient"`
	Status       string   `json:"status"`
	Profile      string   `json:"profile"`
	TLSMode      string   `json:"tls_mode"`
	Pool         string   `json:"pool"`
	MX           string   `json:"mx"`
	IP           string   `json:"ip"`
	SourceIP     string   `json:"source_ip"`
	TLS          *sentTLS `json:"tls"`
	Code         int      `json:"code"`
	EnhancedCode string   `json:"enhanced_code"`
	Reply        string   `json:"reply"`
	Category     string   `json:"category"`
	Reason       string   `json:"reason"`
	Attempts     []struct {
		MX         string `json:"mx"`
		Stage      string `json:"stage"`
		Reason     string `json:"reason"`
		Reply      string `json:"reply"`
		TLSVersion string `json:"tls_version"`
	} `json:"attempts"`
}

type sentTLS struct {
	Version            string `json:"version"`
	Cipher             string `json:"cipher"`
	Group              string `json:"group"`
	Verified           string `json:"verified"`
	VerifyError        string `json:"verify_error"`
	CertificateSHA256  string `json:"certificate_sha256"`
	CertificateSubject string `json:"certificate_subject"`
}

// sendctl runs the command in a process of its own (see TestMain), the net's public authority
// being all that its machine trusts.
func (n *peersNet) sendctl(t *testing.T, args ...string) (status int, stdout, stderr []byte) {
	t.Helper()
	args = append([]string{"--config", filepath.Join(n.dir, "config"), "--state", filepath.Join(n.dir, "state")}, args...)
	cmd := exec.CommandContext(t.Context(), "sendctl", args...)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+filepath.Join(n.dir, "public-ca.pem"), "SSL_CERT_DIR="+filepath.Join(n.dir, "none"),
		"SENDCTL_CONFIG=", "SENDCTL_STATE=")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.Bytes(), errs.Bytes()
}

// send runs `sendctl -o json send` and reads its report.
func (n *peersNet) send(t *testing.T, args ...string) *sentReport {
	t.Helper()
	status, stdout, stderr := n.sendctl(t, append([]string{"-o", "json", "send"}, args...)...)
	r := &sentReport{status: status, stderr: string(stderr)}
	if err := json.Unmarshal(stdout, r); err != nil {
		t.Fatalf("sendctl %s ended with %d and printed no report (%v):\n%s\n%s", strings.Join(args, " "), status, err, stdout, stderr)
	}
	return r
}

// batch writes messages into a directory, each into a file that its key names.
func (n *peersNet) batch(t *testing.T, messages map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range messages {
		n.write(t, filepath.Join(dir, name+".eml"), []byte(text), 0o600)
	}
	return dir
}

// secret is a word that stands in the Subject and the body of every message of these tests, and
// that nobody but the recipient may see.
const secret = "Sarcoidosis"

// newMessage is a message for some recipients with a given Message-ID.
func newMessage(id, to, body string) string {
	return fmt.Sprintf("From: Ward 7 <ward@clinic.example>\nTo: %s\nSubject: %s\nDate: Mon, 5 Jan 2026 09:00:00 +0100\nMessage-ID: <%s@clinic.example>\n\n%s",
		to, secret, id, body)
}

// field is a header field of a message as it arrived, unfolded; "" where it has none.
func (a *arrived) field(wanted string) string {
	for b := a.content; ; {
		name, value, rest, ok := cutField(b)
		if !ok {
			return ""
		}
		if strings.EqualFold(name, wanted) {
			return value
		}
		b = rest
	}
}

// bareID is a Message-ID without brackets and the tests' domain.
func bareID(id string) string { return strings.TrimSuffix(strings.Trim(id, "<>"), "@clinic.example") }
