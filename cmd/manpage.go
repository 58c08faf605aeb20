package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// manPage is the manual page of a command, in roff (man(7)).
func manPage(c *cobra.Command) string {
	var b strings.Builder
	name := pageName(c)
	fmt.Fprintf(&b, ".TH %q 1 \"\" %q \"sendctl manual\"\n", strings.ToUpper(name), "sendctl "+readVersion().Version)
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.B %s\n", roff(name), roff(c.Short), roff(c.UseLine()))
	description, status := splitHelp(c.Long)
	b.WriteString(".SH DESCRIPTION\n" + paragraphs(description))
	var subs []string
	for _, sub := range available(c)[1:] {
		subs = append(subs, pageName(sub))
		if sub.Parent() == c {
			if len(subs) == 1 {
				b.WriteString(".SH COMMANDS\n")
			}
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(sub.Name()), roff(sub.Short))
		}
	}
	options(&b, "OPTIONS", c.NonInheritedFlags())
	options(&b, "GLOBAL OPTIONS", c.InheritedFlags())
	if c.Example != "" {
		b.WriteString(".SH EXAMPLES\n.nf\n" + roff(strings.Trim(c.Example, "\n")) + "\n.fi\n")
	}
	if status != "" {
		b.WriteString(".SH EXIT STATUS\n" + statuses(status))
	}
	if c.HasParent() {
		subs = append([]string{pageName(c.Parent())}, subs...)
	}
	for i, s := range subs {
		subs[i] = "\\fB" + roff(s) + "\\fR(1)"
	}
	if len(subs) > 0 {
		b.WriteString(".SH SEE ALSO\n" + strings.Join(subs, ",\n") + "\n")
	}
	return b.String()
}

// exitStatusTitle begins the last part of every help text.
const exitStatusTitle = "EXIT STATUS\n"

// splitHelp takes the list of exit statuses off a help text.
func splitHelp(long string) (description, status string) {
	description, status, _ = strings.Cut(long, exitStatusTitle)
	return strings.TrimSpace(description), strings.TrimRight(status, "\n")
}

// paragraphs fills what stands at the margin and leaves indented lines as they are.
func paragraphs(text string) string {
	var b strings.Builder
	literal := false
	for line := range strings.SplitSeq(text, "\n") {
		if indented := strings.HasPrefix(line, "  "); indented != literal && line != "" {
			b.WriteString(map[bool]string{true: ".nf\n", false: ".fi\n"}[indented])
			literal = indented
		}
		if line == "" {
			b.WriteString(".PP\n")
		} else {
			b.WriteString(roff(line) + "\n")
		}
	}
	if literal {
		b.WriteString(".fi\n")
	}
	return b.String()
}

// statuses makes a list of "0 done · 64 usage": what does not begin with a number goes on with
// the item before it.
func statuses(text string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		for item := range strings.SplitSeq(line, " · ") {
			item = strings.TrimSpace(item)
			number, rest, _ := strings.Cut(item, " ")
			if number != "" && strings.Trim(number, "0123456789") == "" {
				fmt.Fprintf(&b, ".TP\n.B %s\n", number)
				item = rest
			}
			b.WriteString(roff(item) + "\n")
		}
	}
	return b.String()
}

func options(b *strings.Builder, title string, flags *pflag.FlagSet) {
	first := true
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		if first {
			b.WriteString(".SH " + title + "\n")
			first = false
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "\\fB" + roff("--"+f.Name) + "\\fR"
		if f.Shorthand != "" {
			name = "\\fB" + roff("-"+f.Shorthand) + "\\fR, " + name
		}
		switch {
		case value == "":
		case f.NoOptDefVal != "":
			name += "[=\\fI" + roff(value) + "\\fR]"
		default:
			name += " \\fI" + roff(value) + "\\fR"
		}
		if d := f.DefValue; d != "" && d != "false" && d != "[]" && d != "0" && d != "0s" {
			usage += " (default " + d + ")"
		}
		fmt.Fprintf(b, ".TP\n%s\n%s\n", name, roff(usage))
	})
}

// roff escapes text: backslashes, the minus that stands for itself, and dots that would be requests.
func roff(text string) string {
	text = strings.NewReplacer("\\", "\\e", "-", "\\-").Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = "\\&" + line
		}
	}
	return strings.Join(lines, "\n")
}
