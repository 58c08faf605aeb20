package cmd

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// sentRow is what send -o json says of a recipient, as far as it is compared.
type sentRow struct {
	Recipient, Status, Category, Reason string
	TLS                                 *struct{ Version, Cipher string }
	Attempts                            []struct{ Stage, Reason string }
}

// foretold is what probe should have said: send's outcome up to where MAIL follows.
func (r sentRow) foretold() probe.Verdict {
	// A session that the judgement refused is in the row too, as evidence.
	beyond := r.Status == "delivered"
	for _, a := range r.Attempts {
		beyond = beyond || slices.Contains([]string{"mail", "rcpt", "data", "content", "final"}, a.Stage)
	}
	switch {
	case r.TLS != nil && beyond:
		return probe.Verdict{Verdict: probe.ByTLS, Version: r.TLS.Version, Cipher: r.TLS.Cipher}
	case beyond:
		return probe.Verdict{Verdict: probe.Cleartext}
	case r.Status == "bounced":
		return probe.Verdict{Verdict: probe.Bounce, Reason: r.Reason}
	}
	return probe.Verdict{Verdict: probe.Defer, Reason: r.Reason}
}

// inProcess runs a command line within this process and gives its standard output.
func inProcess(t *testing.T, args ...string) []byte {
	t.Helper()
	var out, talk bytes.Buffer
	env := map[string]string{"HOME": t.TempDir(), "LC_ALL": "C.UTF-8"}
	run(t.Context(), surroundings{
		args: args, stdin: strings.NewReader(""), stdout: &out, stderr: &talk,
		getenv: func(k string) string { return env[k] }, uid: 1000,
	})
	if out.Len() == 0 {
		t.Fatalf("sendctl %s said nothing but %s", strings.Join(args, " "), talk.Bytes())
	}
	return out.Bytes()
}

// probe --profile says of every domain of the sandbox, under every shipped profile and none,
// what send then comes to: it runs the same host loop.
func TestProbeAgreesWithSend(t *testing.T) {
	t.Parallel()
	for _, profile := range []string{"hipaa", "hipaa-strict", "pci", "modern", "newsletter", "-"} {
		t.Run(profile, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			box, err := sandbox.Start(sandbox.Options{Dir: dir, Keep: sandbox.KeepCounts})
			if err != nil {
				t.Fatal(err)
			}
			defer box.Close()
			message := filepath.Join(dir, "a.eml")
			if err := os.WriteFile(message, []byte("From: a@clinic.test\r\nSubject: x\r\n\r\nhello\r\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			ask := []string{"probe", "--sandbox=" + dir, "--profile", profile, "-o", "json"}
			tell := []string{"send", "--sandbox=" + dir, "--profile", profile, "-o", "json", "--no-notify", message}
			for _, d := range sandbox.Domains() {
				ask = append(ask, d.Domain)
				tell = append(tell, "--to", "someone@"+d.Domain)
			}
			var said struct{ Domains []probe.Result }
			if err := json.Unmarshal(inProcess(t, ask...), &said); err != nil {
				t.Fatal(err)
			}
			if n := box.Accepted(); n != 0 {
				t.Fatalf("probing sent %d messages", n)
			}
			var sent struct{ Recipients []sentRow }
			if err := json.Unmarshal(inProcess(t, tell...), &sent); err != nil {
				t.Fatal(err)
			}
			if len(sent.Recipients) != len(said.Domains) || len(said.Domains) != len(sandbox.Domains()) {
				t.Fatalf("%d recipients, %d domains", len(sent.Recipients), len(said.Domains))
			}
			want := map[string]probe.Verdict{}
			for _, r := range sent.Recipients {
				want[strings.TrimPrefix(r.Recipient, "someone@")] = r.foretold()
			}
			for _, d := range said.Domains {
				v := d.Verdicts[0]
				got := probe.Verdict{Verdict: v.Verdict, Version: v.Version, Cipher: v.Cipher, Reason: v.Reason}
				if got != want[d.Domain] {
					t.Errorf("%s: probe says %+v, send came to %+v", d.Domain, got, want[d.Domain])
				}
			}
		})
	}
}
