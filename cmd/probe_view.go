package cmd

import (
	"fmt"
	"strings"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/probe"
)

// showProbe writes what was found out: the hosts, the grades, and the verdicts of profiles.
func showProbe(out *ui.Output, results []*probe.Result, wide bool, wanted []requirement) error {
	if out.Format() == ui.FormatJSONL {
		return nil // each domain was shown when it was done
	}
	doc := struct {
		Domains []*probe.Result `json:"domains"`
	}{results}
	tables := []ui.Table{hostTable(results, wide)}
	if len(wanted) > 0 {
		tables = append(tables, missingTable(results, wanted))
	}
	tables = append(tables, gradeTable(results))
	for _, t := range []ui.Table{verdictTable(results), deepTable(results)} {
		if t.Len() > 0 {
			tables = append(tables, t)
		}
	}
	if tables[0].Len() == 0 && out.Format() == ui.FormatTable {
		tables = tables[1:] // no domain has a host
	}
	if err := out.Print(doc, tables...); err != nil {
		return err
	}
	for _, r := range results {
		for _, w := range r.Warnings {
			out.Warn(r.Domain+": "+w, "")
		}
	}
	return nil
}

func toneOf(cell string) ui.Tone {
	switch cell {
	case "yes", "ok", "tls", "A", "A+":
		return ui.Good
	case "NO", "stripped?", "refused", "fail", "bounce", "F":
		return ui.Bad
	case "cleartext":
		return ui.Alarm
	case "unknown", "?", "unusable", "B", "C", "U", "defer":
		return ui.Notice
	}
	return ui.Plain
}

// oldTone is for versions that should be off.
func oldTone(cell string) ui.Tone {
	if cell == "yes" {
		return ui.Notice
	}
	return ui.Plain
}

func hostTable(results []*probe.Result, wide bool) ui.Table {
	t := ui.Table{Shape: ui.Folding, Columns: []ui.Column{
		{Title: "Domain", Fold: 9},
		{Title: "Pref", Name: "preference", Right: true},
		{Title: "MX"},
		{Title: "IP", Fold: 3},
		{Title: "TLS", Name: "starttls", Tone: toneOf},
		{Title: "1.0", Name: "tls_1_0", Tone: oldTone}, {Title: "1.1", Name: "tls_1_1", Tone: oldTone},
		{Title: "1.2", Name: "tls_1_2", Tone: toneOf}, {Title: "1.3", Name: "tls_1_3", Tone: toneOf},
		{Title: "Cipher", Fold: 8}, {Title: "Group", Fold: 7},
		{Title: "Certificate", Fold: 2},
		{Title: "DANE", Fold: 5, Tone: toneOf}, {Title: "MTA-STS", Name: "mta_sts", Fold: 4, Tone: toneOf},
	}}
	if wide {
		t.Columns = append(t.Columns, ui.Column{Title: "Key", Fold: 10}, ui.Column{Title: "Issuer", Fold: 12, Wrap: true},
			ui.Column{Title: "Connections", Fold: 11, Right: true}, ui.Column{Title: "ms", Fold: 11, Right: true})
	}
	for _, r := range results {
		for i := range r.MX {
			t.Add(hostRow(r, &r.MX[i], wide)...)
			if wide {
				noteEvidence(&t, &r.MX[i])
			}
		}
	}
	return t
}

func hostRow(r *probe.Result, m *probe.MX, wide bool) []string {
	row := []string{r.Domain, fmt.Sprint(m.Preference), m.Host, m.IP, string(m.StartTLS)}
	switch {
	case m.StartTLS == probe.NotOffered && m.Stripping != "":
		row[4] = "stripped?"
	case m.StartTLS == probe.NotOffered:
		row[4] = "NO"
	}
	for _, v := range []string{"TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"} {
		row = append(row, versionCell(m, v))
	}
	cipher, group := "", ""
	if m.Best != nil {
		cipher, group = m.Best.Cipher, m.Best.Group
	}
	row = append(row, cipher, group, certificateCell(m), unlessNone(m.DANE), unlessNone(m.MTASTS))
	if !wide {
		return row
	}
	key, issuer := "", ""
	if m.Certificate != nil {
		key, issuer = m.Certificate.Key, m.Certificate.Issuer
	}
	return append(row, key, issuer, fmt.Sprint(m.Connections), fmt.Sprint(m.DurationMS))
}

// versionCell is a version's answer; "" where the host does not get as far as TLS.
func versionCell(m *probe.MX, version string) string {
	if m.StartTLS == probe.NotOffered && m.Versions[version] == probe.No {
		return ""
	}
	if a := m.Versions[version]; a != probe.Unknown {
		return string(a)
	}
	return "?"
}

func certificateCell(m *probe.MX) string {
	if m.Certificate == nil {
		return ""
	}
	return m.Certificate.Summary()
}

// unlessNone leaves out what is not there.
func unlessNone(s string) string {
	if s == "none" {
		return ""
	}
	return s
}

func noteEvidence(t *ui.Table, m *probe.MX) {
	for _, e := range m.Evidence {
		var parts []string
		if e.Version != "" {
			parts = append(parts, "asked for "+e.Version)
		}
		if e.Alert != "" {
			parts = append(parts, "alert "+e.Alert)
		}
		for _, p := range []string{e.Reply, e.Error} {
			if p != "" {
				parts = append(parts, p)
			}
		}
		t.Note("seen", strings.Join(parts, ": "))
	}
}

// deepTable is what --deep found, a row for each version of each address.
func deepTable(results []*probe.Result) ui.Table {
	t := ui.Table{Shape: ui.Folding, Columns: []ui.Column{
		{Title: "MX"}, {Title: "IP", Fold: 1}, {Title: "Version"}, {Title: "Order"}, {Title: "Offers", Fold: 2},
	}}
	for _, r := range results {
		for i := range r.MX {
			addDeep(&t, &r.MX[i])
		}
	}
	return t
}

func addDeep(t *ui.Table, m *probe.MX) {
	d := m.Deep
	if d == nil {
		return
	}
	add := func(version, order, offers string) { t.Add(m.Host, m.IP, version, order, offers) }
	add("SSLv2", "", string(d.SSLv2))
	add("SSLv3", "", string(d.SSLv3))
	for _, v := range []string{"TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"} {
		if suites := d.Suites[v]; len(suites) > 0 {
			add(v, d.Preference[v], strings.Join(suites, ", "))
		}
	}
	if len(d.Groups) > 0 {
		add("groups", "", strings.Join(d.Groups, ", "))
	}
	if len(d.OlderGroups) > 0 {
		add("older groups", "", strings.Join(d.OlderGroups, ", "))
	}
	add("fallback", "", "a needless fallback is noticed (RFC 7507): "+string(d.Fallback))
	if !d.Complete {
		add("incomplete", "", "asked no further: too many questions, or the host wants to be left alone")
	}
}

func gradeTable(results []*probe.Result) ui.Table {
	t := ui.Table{Shape: ui.Folding, Columns: []ui.Column{
		{Title: "Domain"}, {Title: "Grade", Tone: toneOf}, {Title: "Why", Wrap: true},
	}}
	for _, r := range results {
		t.Add(r.Domain, string(r.Grade), because(r))
	}
	return t
}

// because is why a domain has its grade, of many hosts the first few.
func because(r *probe.Result) string {
	const most = 3
	if r.Error != "" {
		return r.Error
	}
	why := strings.Join(r.GradeReasons[:min(len(r.GradeReasons), most)], "; ")
	if more := len(r.GradeReasons) - most; more > 0 {
		why += fmt.Sprintf("; and %d more", more)
	}
	return why
}

func missingTable(results []*probe.Result, wanted []requirement) ui.Table {
	t := ui.Table{Shape: ui.Folding, Columns: []ui.Column{
		{Title: "Domain", Fold: 2}, {Title: "MX"}, {Title: "IP", Fold: 1}, {Title: "Required", Name: "missing", Wrap: true},
	}}
	for _, r := range results {
		for i := range r.MX {
			m := &r.MX[i]
			not, doubt := missing(m, wanted)
			switch {
			case len(not) > 0:
				t.Add(r.Domain, m.Host, m.IP, "not met: "+strings.Join(not, ", "))
			case doubt:
				t.Add(r.Domain, m.Host, m.IP, "could not be found out")
			default:
				t.Add(r.Domain, m.Host, m.IP, "met")
			}
		}
	}
	return t
}

func verdictTable(results []*probe.Result) ui.Table {
	t := ui.Table{Shape: ui.Folding, Columns: []ui.Column{
		{Title: "Domain"}, {Title: "Profile"}, {Title: "Verdict", Tone: toneOf}, {Title: "MX", Fold: 1},
		{Title: "TLS", Fold: 2}, {Title: "Cipher", Fold: 3}, {Title: "Verified", Fold: 4}, {Title: "Reason", Wrap: true},
	}}
	for _, r := range results {
		for _, v := range r.Verdicts {
			t.Add(r.Domain, v.Profile, string(v.Verdict), v.MX, v.Version, v.Cipher, v.Verified, reasonCell(v))
		}
		for i := range r.MX {
			if len(r.MX) == 1 {
				break // it is the domain's verdict
			}
			for _, v := range r.MX[i].Verdicts {
				t.Add(r.MX[i].Host+" ["+r.MX[i].IP+"]", v.Profile, string(v.Verdict), v.MX, v.Version, v.Cipher, v.Verified, reasonCell(v))
			}
		}
	}
	return t
}

func reasonCell(v probe.Verdict) string {
	if v.Text == "" {
		return v.Reason
	}
	return v.Reason + ": " + v.Text
}
