package ui

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/delivery"
	"github.com/sendctl/sendctl/pkg/send"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// large is a run of which most rows are told of and not listed, and what is told of it in the end.
func large(told int) (rows []*send.Row, end *send.Report) {
	s := session("mx1.example.com", tlsnames.TLS13, "TLS_AES_256_GCM_SHA384")
	end = &send.Report{Batch: "b", Started: started, Finished: finished}
	for i := range told {
		r := delivered(address(fmt.Sprintf("r%d", i), fmt.Sprintf("d%d.example", i%3)), s)
		r.Unlisted = true
		if i%10 == 9 {
			r.Outcome = delivery.Outcome{Status: delivery.Queued}
		}
		rows = append(rows, r)
		end.Summary.Add(r)
	}
	end.Rows = append(deferrals(), delivered(address("listed", "d0.example"), s))
	for _, r := range end.Rows {
		end.Summary.Add(r)
	}
	return rows, end
}

// What a large run tells of while it goes on is in its output once, and so is what its report
// lists, in every format; the header stands once, too.
func TestLargeRun(t *testing.T) {
	t.Parallel()
	const n = 3 * sample
	for _, c := range []struct {
		name string
		s    screenful
		all  bool
		want func(*testing.T, string)
	}{
		{"csv", piped(Options{Format: FormatCSV}), false, func(t *testing.T, out string) {
			lines, err := csv.NewReader(strings.NewReader(out)).ReadAll()
			if err != nil || strings.Count(out, "file,recipient") != 1 {
				t.Error(err)
			}
			once(t, out, len(lines)-1, n)
		}},
		{"json", piped(Options{Format: FormatJSON}), false, func(t *testing.T, out string) {
			var object struct {
				Batch      string
				Recipients []recipientJSON
				Refused    []refusalJSON
				Summary    summaryJSON
			}
			if err := json.Unmarshal([]byte(out), &object); err != nil || object.Batch != "b" || object.Refused == nil || object.Summary.Recipients != len(object.Recipients) {
				t.Errorf("%v: %+v", err, object.Summary)
			}
			once(t, out, len(object.Recipients), n)
		}},
		{"jsonl", piped(Options{Format: FormatJSONL}), false, func(t *testing.T, out string) {
			if got := strings.Count(out, `"recipient":`); got != n || !strings.Contains(out, `{"summary":`) {
				t.Errorf("%d recipients", got)
			}
		}},
		{"table in a pipe", piped(Options{}), false, func(t *testing.T, out string) {
			if strings.Count(out, "RECIPIENT  ") != 3 { // delivered, not sent now, deferred
				t.Error("a header stands more than once or not at all")
			}
			once(t, out, -1, n)
		}},
		{"table on a terminal", onTerminal(100, Options{NoColor: true}), false, func(t *testing.T, out string) {
			if strings.Contains(out, "r5@") || !strings.Contains(out, fmt.Sprintf("Delivered: %d recipients by domain", n*9/10+1)) ||
				!strings.Contains(out, fmt.Sprintf("Not sent now: %d recipients by domain", n/10)) {
				t.Errorf("%s", out)
			}
		}},
		{"table on a terminal, --all", onTerminal(200, Options{NoColor: true}), true, func(t *testing.T, out string) { once(t, out, -1, n) }},
		{"quiet", piped(Options{Quiet: true}), false, func(t *testing.T, out string) {
			if strings.Contains(out, "r5@") || !strings.Contains(out, "Deferred") {
				t.Errorf("%s", out)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rows, end := large(n)
			c.s.All(c.all)
			for _, r := range rows {
				if err := c.s.Recipients(r); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.s.Report(end); err != nil {
				t.Fatal(err)
			}
			c.want(t, c.s.stdout.String())
		})
	}
}

// once holds that each of n recipients, and the listed one, is shown once; rows is how many
// there are in all, -1 where that is not known.
func once(t *testing.T, out string, rows, n int) {
	t.Helper()
	for _, i := range []int{0, 1, sample - 1, sample, sample + 9, n - 1} {
		if got := strings.Count(out, fmt.Sprintf("r%d@d%d.example", i, i%3)); got != 1 {
			t.Errorf("recipient %d is shown %d times", i, got)
		}
	}
	if got := strings.Count(out, "listed@d0.example"); got != 1 {
		t.Errorf("the listed one is shown %d times", got)
	}
	if want := n + 1 + len(deferrals()); rows >= 0 && rows != want {
		t.Errorf("%d rows, want %d", rows, want)
	}
}
