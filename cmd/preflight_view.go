package cmd

import (
	"fmt"
	"time"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/probe"
)

// foldAbove is from how many recipients on those who would be reached are shown by domain.
const foldAbove = 50

// showPreflight writes who would be reached, and how.
func showPreflight(out *ui.Output, got *flown, all bool) error {
	if out.Format() == ui.FormatJSONL {
		for i := range got.Recipients {
			if err := out.Print(&got.Recipients[i]); err != nil {
				return err
			}
		}
		return out.Print(struct {
			Summary probe.Coverage `json:"summary"`
		}{got.Summary})
	}
	tables := []ui.Table{forecastTable(got, all || out.Format() == ui.FormatCSV)}
	if len(got.Refused) > 0 {
		t := ui.Table{Columns: []ui.Column{{Title: "Refused"}, {Title: "Line", Right: true}, {Title: "Error", Wrap: true}}}
		for _, r := range got.Refused {
			line := ""
			if r.Line > 0 {
				line = fmt.Sprint(r.Line)
			}
			t.Add(r.File, line, r.Error)
		}
		tables = append(tables, t)
	}
	if err := out.Print(got, tables...); err != nil {
		return err
	}
	return out.Line(got.Summary.String())
}

func fateTone(cell string) ui.Tone {
	switch probe.Fate(cell) {
	case probe.Encrypted:
		return ui.Good
	case probe.Bounced:
		return ui.Bad
	case probe.InClear:
		return ui.Alarm
	case probe.Undecided:
		return ui.Notice
	}
	return ui.Plain
}

// forecastTable has a row for each recipient; of many, those of a domain that share a fate
// and would be encrypted have one.
func forecastTable(got *flown, all bool) ui.Table {
	t := ui.Table{Shape: ui.Folding, Columns: []ui.Column{
		{Title: "Recipient"}, {Title: "Outlook", Tone: fateTone}, {Title: "MX", Fold: 2}, {Title: "TLS"},
		{Title: "Cipher", Fold: 4}, {Title: "Verified", Fold: 1}, {Title: "Asked", Fold: 3}, {Title: "Why", Wrap: true},
	}}
	add := func(who string, f *probe.Forecast) {
		why := f.Reason
		if f.Text != "" {
			why += ": " + f.Text
		}
		t.Add(who, string(f.Fate), f.MX, f.Version, f.Cipher, f.Verified, ago(f.Age), why)
	}
	fold := !all && len(got.Recipients) > foldAbove
	folded := map[string]int{}
	first := map[string]*probe.Forecast{}
	var order []string
	for i := range got.Recipients {
		f := &got.Recipients[i]
		if !fold || f.Fate != probe.Encrypted {
			add(f.Recipient, f)
			continue
		}
		if folded[f.Key] == 0 {
			order = append(order, f.Key)
			first[f.Key] = f
		}
		folded[f.Key]++
	}
	for _, key := range order {
		add(fmt.Sprintf("%d at %s", folded[key], first[key].Domain), first[key])
	}
	return t
}

// ago is an age in words.
func ago(seconds int64) string {
	if seconds < 1 {
		return "now"
	}
	return (time.Duration(seconds) * time.Second).String() + " ago"
}
