package cmd

import (
	"slices"
	"strings"

	"github.com/sendctl/sendctl/cmd/internal/ui"
	"github.com/sendctl/sendctl/pkg/policy"
)

// explainTable shows decisions. As a Record each cause has a line of its own; in the other
// shapes, and in CSV, all of them share a cell, so that a recipient is a row.
func explainTable(out *ui.Output, shape ui.Shape, list []explained) ui.Table {
	has := func(f func(explained) bool) bool { return slices.ContainsFunc(list, f) }
	files := has(func(e explained) bool { return e.File != "" })
	dns := has(func(e explained) bool { return e.DNS != nil })
	apart := shape == ui.Record && out.Format() != ui.FormatCSV
	t := ui.Table{Shape: shape}
	add := func(when bool, columns ...ui.Column) {
		if when {
			t.Columns = append(t.Columns, columns...)
		}
	}
	add(true, ui.Column{Title: "Recipient"})
	add(files, ui.Column{Title: "File"})
	add(true, ui.Column{Title: "Profile"}, ui.Column{Title: "Mode", Name: "tls_mode", Tone: effectiveTone},
		ui.Column{Title: "Requirement", Wrap: true}, ui.Column{Title: "Rules"})
	add(out.Verbose(), ui.Column{Title: "Ciphers", Wrap: true})
	add(!apart, ui.Column{Title: "Because", Wrap: true}, ui.Column{Title: "Near misses", Wrap: true})
	add(!apart && dns, ui.Column{Title: "Mail hosts", Name: "mx", Wrap: true})
	for i := range list {
		e := &list[i]
		cells := []string{e.Recipient}
		if files {
			cells = append(cells, e.File)
		}
		cells = append(cells, profileInWords(e), string(e.TLSMode), requirementInWords(&e.decision), joined(e.decision.Rules))
		if out.Verbose() {
			cells = append(cells, joined(e.Requirement.Ciphers))
		}
		if !apart {
			cells = append(cells, strings.Join(causesOf(e), "; "), strings.Join(missesOf(e), "; "), strings.Join(hostsOf(e.DNS), "; "))
		}
		t.Add(cells...)
		if apart {
			notes(&t, "Because", causesOf(e))
			notes(&t, "Near miss", missesOf(e))
			notes(&t, "Mail host", hostsOf(e.DNS))
		}
	}
	return t
}

func notes(t *ui.Table, label string, texts []string) {
	for _, s := range texts {
		t.Note(label, s)
	}
}

// profileInWords is the profile as it was chosen, with what the null profile stands for.
func profileInWords(e *explained) string {
	for _, c := range e.Because {
		if e.Profile == policy.NullProfile && c.Source == policy.SourceProfile && c.Name != policy.NullProfile {
			return e.Profile + " (null_profile is " + c.Name + ")"
		}
	}
	return e.Profile
}

// requirementInWords says what must be, and what becomes of the mail where it cannot be.
func requirementInWords(d *policy.Decision) string {
	r := d.Requirement
	if v := r.Conflict(); !v.Satisfied() {
		return r.Demands() + ", so it bounces (" + string(v.Reason) + ")"
	}
	switch d.Mode {
	case policy.ModeForced:
		if r.OnFailure == policy.FailureDefer {
			return r.Demands() + "; where that cannot be had it is deferred"
		}
		return r.Demands() + "; where that cannot be had it bounces"
	case policy.ModeOpportunistic:
		return "nothing: encrypted where the mail host can, in CLEARTEXT where it cannot"
	case policy.ModeNone:
	}
	return "nothing: it goes out in CLEARTEXT"
}

func causesOf(e *explained) []string {
	out := make([]string, len(e.Because))
	for i, c := range e.Because {
		out[i] = c.Text
	}
	return out
}

func missesOf(e *explained) []string {
	out := make([]string, len(e.NearMisses))
	for i, m := range e.NearMisses {
		out[i] = "rule " + m.Rule + ": " + m.Why
	}
	return out
}

// effectiveTone makes what goes out in clear stand out more than what may.
func effectiveTone(cell string) ui.Tone {
	switch policy.Mode(cell) {
	case policy.ModeForced:
		return ui.Good
	case policy.ModeOpportunistic:
		return ui.Notice
	case policy.ModeNone:
	}
	return ui.Alarm
}
