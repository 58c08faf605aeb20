package probe_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/courier"
	"github.com/sendctl/sendctl/pkg/probe"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// FAULTS T7: TLS that somebody on the way takes out leaves traces, which are told in plain words;
// a host without any of them is not suspected.
func TestStripping(t *testing.T) {
	t.Parallel()
	ehlo := func(lines ...string) sandbox.Script {
		return sandbox.On("EHLO", sandbox.Reply(append([]string{"250-mx.example.test"}, lines...)...).Taken())
	}
	march := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	past := func(host string) (time.Time, string, bool) { return march, "TLSv1.3", host == "mx.example.test" }
	never := func(string) (time.Time, string, bool) { return time.Time{}, "", false }
	refused := sandbox.On("STARTTLS", sandbox.Reply("454 4.7.0 TLS not available"))
	for name, tt := range map[string]struct {
		host     sandbox.Host
		past     probe.Past
		versions string
		want     []string // of the suspicion; none: nothing is suspected
	}{
		"nothing":             {host: sandbox.Host{NoSTARTTLS: true}, versions: "nnnn"},
		"nothing in the past": {host: sandbox.Host{NoSTARTTLS: true}, past: never, versions: "nnnn"},
		"XXXXXXXA": {host: sandbox.Host{NoSTARTTLS: true, Script: ehlo("250-SIZE 1000", "250-XXXXXXXA", "250 HELP")}, versions: "nnnn",
			want: []string{"XXXXXXXA", "firewall"}},
		"XXXXXXXXXXXX": {host: sandbox.Host{NoSTARTTLS: true, Script: ehlo("250-XXXXXXXXXXXX", "250 HELP")}, versions: "nnnn", want: []string{"XXXXXXXXXXXX"}},
		"asterisks":    {host: sandbox.Host{NoSTARTTLS: true, Script: ehlo("250-********", "250 HELP")}, versions: "nnnn", want: []string{"********"}},
		"other X":      {host: sandbox.Host{NoSTARTTLS: true, Script: ehlo("250-XCLIENT NAME ADDR", "250-X-EXPS", "250-XXX", "250 XEXCH50")}, versions: "nnnn"},
		"not announced": {host: sandbox.Host{Script: ehlo("250-SIZE 1000", "250 HELP")}, versions: "???y",
			want: []string{"answers STARTTLS by 220 without announcing it, and then speaks TLS"}},
		"not announced, 1.1": {host: sandbox.Host{TLS: sandbox.TLS{Min: tls.VersionTLS10, Max: tls.VersionTLS11}, Script: ehlo("250 XXXXXXXA")}, versions: "?ynn",
			want: []string{"XXXXXXXA", "speaks TLS"}},
		"220 and no TLS": {host: sandbox.Host{Script: sandbox.First(ehlo("250 HELP"), sandbox.On("STARTTLS", sandbox.Reply("220 go ahead").Then(sandbox.Close)))}, versions: "nnnn",
			want: []string{"answers STARTTLS by 220 without announcing it"}},
		"TLS in the past":          {host: sandbox.Host{NoSTARTTLS: true}, past: past, versions: "nnnn", want: []string{"mail went to it over TLSv1.3 on 2026-03-04"}},
		"refused, TLS in the past": {host: sandbox.Host{Script: refused}, past: past, versions: "????", want: []string{"TLSv1.3 on 2026-03-04"}},
		"refused":                  {host: sandbox.Host{Script: refused}, versions: "????"},
		"all is well":              {host: sandbox.Host{Script: ehlo("250-XXXXXXXA", "250 STARTTLS")}, past: past, versions: "nnyy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := oneHost(t, tt.host, func(p *probe.Config, _ *courier.Config) { p.Past, p.Pause = tt.past, 10*time.Millisecond })
			res := w.ask(t, "example.test")
			m := res.MX[0]
			if versions(m) != tt.versions || (m.Stripping != "") != (len(tt.want) > 0) || len(res.Warnings) != min(len(tt.want), 1) {
				t.Fatalf("%s %s, suspected %q, warnings %q; %+v", m.StartTLS, versions(m), m.Stripping, res.Warnings, m.Evidence)
			}
			for _, where := range []string{m.Stripping, strings.Join(res.GradeReasons, " "), strings.Join(res.Warnings, " ")} {
				for _, want := range tt.want {
					if !strings.Contains(where, want) {
						t.Errorf("%q does not say %q", where, want)
					}
				}
			}
			if m.StartTLS == probe.NotOffered && m.Connections != 1 {
				t.Errorf("%d connections to a host without STARTTLS", m.Connections)
			}
			if len(tt.want) > 0 && res.Grade != probe.GradeF {
				t.Errorf("grade %s", res.Grade)
			}
			w.polite(t)
		})
	}
}
