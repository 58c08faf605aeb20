package ui

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/send"
)

// spec is the example of SPEC §3, whose fields and their order are the contract.
const spec = `{"batch":"…","profile":"hipaa","started":"…","finished":"…",
 "summary":{"messages":2,"recipients":3,"delivered":2,"encrypted":2,"verified":2,"unverified":0,"cleartext":0,"deferred":0,"queued":0,"in_doubt":0,"held":0,"cancelled":0,"bounced":1,"skipped":0,"refused":1},
 "recipients":[{
   "file":"a.eml","queue_id":"…","message_id":"<…>","sender":"…","recipient":"…","status":"delivered",
   "profile":"hipaa","rules":["first-national"],"tls_mode":"forced","because":["…"],"pool":"default",
   "mx":"mx1.example.com","ip":"…","source_ip":"…",
   "tls":{"version":"TLSv1.3","cipher":"TLS_AES_256_GCM_SHA384","group":"X25519MLKEM768","resumed":false,
          "verified":"pkix","verify_error":"","certificate_sha256":"…","certificate_subject":"…","certificate_not_after":"…"},
   "code":250,"enhanced_code":"2.0.0","reply":"…","category":"","reason":"",
   "attempts":[{"time":"…","mx":"…","ip":"…","stage":"starttls","reason":"…","code":0,"enhanced_code":"","reply":"…","tls_version":""}],
   "queued":"…","settled":"…","next_attempt":null,"skipped":false}],
 "refused":[{"file":"bad.eml","line":3,"error":"…"}]}`

// paths are the keys of a JSON text in their order, with those above them.
func paths(t *testing.T, text string) []string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	var out []string
	var walk func(prefix string)
	walk = func(prefix string) {
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		switch token {
		case json.Delim('{'):
			for d.More() {
				key, _ := d.Token()
				out = append(out, prefix+"."+key.(string))
				walk(prefix + "." + key.(string))
			}
			_, _ = d.Token()
		case json.Delim('['):
			for d.More() {
				walk(prefix)
			}
			_, _ = d.Token()
		}
	}
	walk("")
	return out
}

// The report has every field of SPEC §3, in that order, in a pipe and on a terminal.
func TestJSONAsSpecified(t *testing.T) {
	t.Parallel()
	row := delivered(address("a", "example.com"), session("mx1.example.com", 0x0304, "TLS_AES_256_GCM_SHA384"))
	row.Outcome.Attempts = bounces()[0].Outcome.Attempts
	r := &send.Report{Rows: []*send.Row{row}, Refused: []send.Refusal{{File: "bad.eml", Line: 3, Error: "…"}}}
	for _, s := range []screenful{piped(Options{Format: FormatJSON}), onTerminal(80, Options{Format: FormatJSON})} {
		if err := s.Report(r); err != nil {
			t.Fatal(err)
		}
		if got, want := paths(t, s.stdout.String()), paths(t, spec); !slices.Equal(got, want) {
			t.Errorf("keys are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// The zero values: lists are empty and not null, times null and not year 1, the null profile "-".
func TestJSONOfNothing(t *testing.T) {
	t.Parallel()
	s := piped(Options{Format: FormatJSON})
	if err := s.Report(&send.Report{Rows: []*send.Row{{Decision: &policy.Decision{}}}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"profile":"-"`, `"started":null`, `"finished":null`, `"refused":[]`, `"rules":[],"tls_mode":"none","because":[]`,
		`"tls":null`, `"attempts":[],"queued":null,"settled":null,"next_attempt":null,"skipped":false`,
	} {
		if !strings.Contains(s.stdout.String(), want) {
			t.Errorf("%s is missing in\n%s", want, s.stdout)
		}
	}
	e := piped(Options{Format: FormatJSON})
	if err := e.Report(&send.Report{}); err != nil || !strings.Contains(e.stdout.String(), `"recipients":[]`) {
		t.Errorf("error %v, output %s", err, e.stdout)
	}
	l := piped(Options{Format: FormatJSON})
	if err := List[int](l.Output, "rules", nil, Table{}); err != nil || l.stdout.String() != `{"rules":[]}`+"\n" {
		t.Errorf("error %v, output %s", err, l.stdout)
	}
}

// Recipients settle at the same time in many lanes; each line stays whole.
func TestRecipientConcurrently(t *testing.T) {
	t.Parallel()
	s, rows := piped(Options{Format: FormatJSONL}), many(64).Rows
	var lanes sync.WaitGroup
	for i := range rows {
		lanes.Go(func() {
			if err := s.Recipients(rows[i]); err != nil {
				t.Error(err)
			}
		})
	}
	lanes.Wait()
	seen := make(map[string]bool)
	for l := range bytes.Lines(s.stdout.Bytes()) {
		var r recipientJSON
		if err := json.Unmarshal(l, &r); err != nil {
			t.Fatalf("%v in %s", err, l)
		}
		seen[r.Recipient] = true
	}
	if len(seen) != len(rows) {
		t.Errorf("%d recipients, want %d", len(seen), len(rows))
	}
}

// hostile is a report whose every foreign text tries to steer a terminal or a spreadsheet.
func hostile() *send.Report {
	const evil = "=cmd|'/c calc'!A1\x1b[2J\x1b]0;owned\x07\r\n\x00\u202eevil\u2066\u200b\x9b31m\u009b31m\x7f\xff\U000e0041"
	r := report()
	for i := range r.Rows {
		row := r.Rows[i]
		row.File, row.MessageID = evil, "<"+evil+">"
		row.Recipient = mail.Address{Local: evil, Domain: evil}
		row.Outcome.Reply = mail.Reply{Code: 550, Lines: []string{evil, strings.Repeat(evil, 100)}}
		row.Outcome.Text = evil
		for k := range row.Outcome.Attempts {
			row.Outcome.Attempts[k].MX, row.Outcome.Attempts[k].Reply = evil, row.Outcome.Reply
		}
		if row.Outcome.Session != nil {
			row.Outcome.Session.MX, row.Outcome.Session.VerifyError = evil, evil
			row.Outcome.Session.Protection.Certificate.Subject = evil
		}
	}
	r.Refused = []send.Refusal{{File: evil, Error: evil, Hint: evil}}
	r.Notes = []string{evil}
	return r
}

// S25, M16: no control, escape, format or bidirectional character of a stranger's reaches
// stdout or stderr, in any format.
func TestHostileText(t *testing.T) {
	t.Parallel()
	for _, f := range Formats() {
		for _, s := range []screenful{
			piped(Options{Format: f, Verbose: true}),
			onTerminal(80, Options{Format: f, Verbose: true, NoColor: true}),
			onTerminal(200, Options{Format: f, Verbose: true, NoColor: true}),
		} {
			r := hostile()
			for i := range r.Rows {
				if err := s.Recipients(r.Rows[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Report(r); err != nil {
				t.Fatal(err)
			}
			s.Error(78, r.Notes[0], r.Notes[0])
			for _, b := range []*bytes.Buffer{s.stdout, s.stderr} {
				if i := bytes.IndexFunc(b.Bytes(), steersTerminal); i >= 0 || !utf8.Valid(b.Bytes()) {
					t.Fatalf("%s: hostile character at %d", f, i)
				}
			}
		}
	}
}

func steersTerminal(r rune) bool {
	return r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

// A file name is found again from JSON, whatever is in it.
func TestJSONKeepsFileNames(t *testing.T) {
	t.Parallel()
	name := "a  b\n\x1b\u202e\u009b\U000e0041<c>.eml"
	s := piped(Options{Format: FormatJSON})
	if err := s.Report(&send.Report{Refused: []send.Refusal{{File: name}}}); err != nil {
		t.Fatal(err)
	}
	var got struct{ Refused []refusalJSON }
	if err := json.Unmarshal(s.stdout.Bytes(), &got); err != nil || got.Refused[0].File != name {
		t.Errorf("file %q, error %v", got.Refused[0].File, err)
	}
}

func TestCSVGuard(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":              "",
		"-":             "-", // the null profile
		"plain":         "plain",
		"a  b":          "a  b",
		"=1+1":          "'=1+1",
		"+49 30":        "'+49 30",
		"-2+3":          "'-2+3",
		"@SUM(A1)":      "'@SUM(A1)",
		"\t=1":          "' =1",
		"\r=1":          "' =1",
		"  =1":          "'  =1",
		"＝1":            "'＝1",
		"a=1":           "a=1",
		"x\x1b[2J\ny":   "x\uFFFD[2J y",
		"250 2.0.0 Ok":  "250 2.0.0 Ok",
		"<a@b.example>": "<a@b.example>",
	} {
		if got := csvGuard(raw); got != want {
			t.Errorf("%q becomes %q, want %q", raw, got, want)
		}
	}
}

func TestListFormats(t *testing.T) {
	t.Parallel()
	type item struct {
		Name string `json:"name"`
		Mode string `json:"mode"`
	}
	items := []item{{"hipaa", "forced"}, {"-evil", "a, \"b\""}}
	table := Table{Title: "Profiles", Columns: []Column{{Title: "Name"}, {Title: "TLS mode"}, {Title: "X", Name: "y"}}}
	for _, i := range items {
		table.Add(i.Name, i.Mode)
	}
	for f, want := range map[Format]string{
		FormatTable: "Profiles\nNAME   TLS MODE  X\nhipaa  forced    -\n-evil  a, \"b\"    -\n",
		FormatJSON:  `{"profiles":[{"name":"hipaa","mode":"forced"},{"name":"-evil","mode":"a, \"b\""}]}` + "\n",
		FormatJSONL: `{"name":"hipaa","mode":"forced"}` + "\n" + `{"name":"-evil","mode":"a, \"b\""}` + "\n",
		FormatCSV:   "name,tls_mode,y\nhipaa,forced,\n'-evil,\"a, \"\"b\"\"\",\n",
	} {
		s := piped(Options{Format: f})
		if err := List(s.Output, "profiles", items, table); err != nil {
			t.Fatal(err)
		}
		if got := s.stdout.String(); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", f, got, want)
		}
	}
	s := onTerminal(80, Options{Format: FormatJSON})
	if err := s.Print(map[string]int{"errors": 0}); err != nil || s.stdout.String() != "{\n  \"errors\": 0\n}\n" {
		t.Errorf("error %v, output %q", err, s.stdout)
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	for f, want := range map[Format]string{FormatTable: "rule x is enabled\n", FormatJSON: "", FormatCSV: ""} {
		s := piped(Options{Format: f})
		if err := s.Line("rule x is\nenabled"); err != nil || s.stdout.String() != want {
			t.Errorf("%s: %q, error %v", f, s.stdout, err)
		}
	}
}

// Every CSV row has the columns of SPEC §3.
func TestCSVColumns(t *testing.T) {
	t.Parallel()
	s := piped(Options{Format: FormatCSV})
	if err := s.Report(hostile()); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(s.stdout).ReadAll() // refuses rows of unequal length
	if err != nil || len(rows) != 1+len(report().Rows) {
		t.Fatalf("%d rows, error %v", len(rows), err)
	}
	const want = "file,recipient,status,profile,tls_mode,mx,ip,tls_version,tls_cipher,verified,code,enhanced_code,category,reason,reply,next_attempt"
	if got := strings.Join(rows[0], ","); got != want {
		t.Errorf("columns are %s", got)
	}
}

// With -q a run without failures says nothing at all (cron).
func TestQuietSuccess(t *testing.T) {
	t.Parallel()
	for _, s := range []screenful{piped(Options{Quiet: true}), onTerminal(80, Options{Quiet: true})} {
		r := many(3)
		r.Notes = []string{"something"}
		if err := s.Report(r); err != nil || s.stdout.Len()+s.stderr.Len() > 0 {
			t.Errorf("error %v, output %q and %q", err, s.stdout, s.stderr)
		}
	}
}

func TestSummaryLine(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]send.Summary{
		"0 messages, 0 recipients: 0 delivered, 0 encrypted, 0 cleartext, 0 deferred, 0 bounced": {},
		"1 message, 1 recipient: 1 delivered, 0 encrypted, 1 CLEARTEXT, 0 deferred, 0 bounced":   {Messages: 1, Recipients: 1, Delivered: 1, Cleartext: 1},
		"2 messages, 9 recipients: 3 delivered, 3 encrypted (2 verified, 1 unverified), 0 cleartext, 1 deferred, 1 bounced, 1 in doubt, 1 held, 1 queued, 1 cancelled, 1 skipped, 1 file refused": {
			Messages: 2, Recipients: 9, Delivered: 3, Encrypted: 3, Verified: 2, Unverified: 1, Deferred: 1, Bounced: 1, InDoubt: 1, Held: 1, Queued: 1, Cancelled: 1, Skipped: 1, Refused: 1},
	} {
		if got := summary(&s, painter{}, 0); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// The host that a bounce names is the one that decided, as delivery.Conclude has it.
func TestHostOf(t *testing.T) {
	t.Parallel()
	a := func(mx string, reason policy.Reason) delivery.Attempt {
		return delivery.Attempt{MX: mx, Reason: reason}
	}
	for _, c := range []struct {
		what    string
		outcome delivery.Outcome
		want    string
	}{
		{"nothing tried", delivery.Outcome{}, ""},
		{"a session", delivery.Outcome{Session: &delivery.Session{MX: "s"}, Attempts: []delivery.Attempt{a("x", "")}}, "s"},
		{"the reason's attempt", delivery.Outcome{Reason: policy.Greylisted, Attempts: []delivery.Attempt{a("x", policy.DNSFailure), a("y", policy.Greylisted), a("z", policy.DNSFailure)}}, "y"},
		{"the last one", delivery.Outcome{Reason: policy.Expired, Attempts: []delivery.Attempt{a("x", policy.DNSFailure), a("y", policy.ConnectFailed)}}, "y"},
	} {
		if got := hostOf(&send.Row{Outcome: c.outcome}).mx; got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

// Times are in UTC, whatever zone they come in.
func TestTimes(t *testing.T) {
	t.Parallel()
	berlin := time.FixedZone("CET", 3600)
	at := time.Date(2026, 11, 22, 9, 30, 0, 123, berlin)
	if got := *stamp(at); got != "2026-11-22T08:30:00Z" {
		t.Errorf("stamp %s", got)
	}
	if got := moment(at); got != "2026-11-22 08:30:00Z" {
		t.Errorf("moment %s", got)
	}
	if stamp(time.Time{}) != nil || moment(time.Time{}) != "" {
		t.Error("the zero time is shown")
	}
}
