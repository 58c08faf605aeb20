//go:build peers

package dsn

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// reader is Python's email package as an independent reader of MIME and of RFC 3464.
const reader = `
import email, email.policy, json, sys
m = email.message_from_binary_file(sys.stdin.buffer, policy=email.policy.default)
parts = m.get_payload()
print(json.dumps({
    "type": m.get_content_type(), "report": m["Content-Type"].params.get("report-type"), "subject": m["Subject"],
    "date": m["Date"].datetime.isoformat(), "from": m["From"].addresses[0].addr_spec,
    "parts": [p.get_content_type() for p in parts],
    "words": parts[0].get_content(), "headers": parts[2].get_content(),
    "groups": [{k: "".join(str(v).splitlines()) for k, v in g.items()} for g in parts[1].get_payload()],
    "defects": [repr(d) for p in m.walk() for d in p.defects] + [repr(d) for v in m.values() for d in v.defects],
}))
`

// Python's email package reads every fixture without a defect, as three parts, with as many
// groups of the delivery status as there are recipients and one more.
func TestPythonReadsThem(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	for name, n := range fixtures(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := Compose(n)
			cmd := exec.CommandContext(t.Context(), python, "-c", reader)
			cmd.Stdin = strings.NewReader(string(text))
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Type, Report, Subject, Date, From, Words, Headers string
				Parts, Defects                                    []string
				Groups                                            []map[string]string
			}
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatal(err)
			}
			if got.Type != "multipart/report" || got.Report != "delivery-status" || len(got.Defects) > 0 {
				t.Errorf("%s, %s, defects %v", got.Type, got.Report, got.Defects)
			}
			if p := strings.Join(got.Parts, " "); p != "text/plain message/delivery-status text/rfc822-headers" {
				t.Errorf("parts %s", p)
			}
			if got.From != "MAILER-DAEMON@mta1.clinic.test" || got.Date != "2026-03-04T12:01:00+00:00" || !strings.HasPrefix(got.Subject, "Not delivered") {
				t.Errorf("from %s at %s: %s", got.From, got.Date, got.Subject)
			}
			if len(got.Groups) != 1+len(n.Recipients) {
				t.Fatalf("%d groups for %d recipients: %v", len(got.Groups), len(n.Recipients), got.Groups)
			}
			// What Go's reader sees, Python's sees too.
			mine := read(t, text)
			if unix(got.Words) != unix(mine.words) || unix(got.Headers) != unix(mine.headers) {
				t.Errorf("words or headers differ from what Go reads:\n%s\n%s", got.Words, got.Headers)
			}
			for i, r := range n.Recipients {
				if g := got.Groups[i+1]; g["Final-Recipient"] != addressType(r.Address) || g["Action"] != string(n.Action) || g["Status"] != r.status(n.Action) {
					t.Errorf("group %d: %v", i+1, g)
				}
			}
		})
	}
}

func unix(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
