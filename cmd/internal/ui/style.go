package ui

import (
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/muesli/termenv"
)

// Tone is what a piece of text wants to be taken for. On a stream without colour all tones look alike.
type Tone uint8

// The tones.
const (
	Plain  Tone = iota
	Good        // as it should be
	Notice      // worth a look
	Bad         // a failure
	Alarm       // must not be overlooked: cleartext
	Strong      // a title
	Faint       // beside the point
	tones
)

// painter colours text for one stream. The zero value leaves text as it is.
type painter struct {
	styles *[tones]lipgloss.Style
}

func newPainter(s Stream, o Options) painter {
	if !s.Terminal || o.NoColor || o.Getenv("NO_COLOR") != "" || o.Getenv("CLICOLOR") == "0" || o.Getenv("TERM") == "dumb" {
		return painter{}
	}
	r := lipgloss.NewRenderer(s.W)
	r.SetColorProfile(termenv.ANSI) // the sixteen colours of the terminal's theme
	r.SetHasDarkBackground(true)    // it need not be asked for: no colour here depends on it
	style := func(colour string) lipgloss.Style { return r.NewStyle().Foreground(lipgloss.Color(colour)) }
	return painter{styles: &[tones]lipgloss.Style{
		Plain: r.NewStyle(), Good: style("2"), Notice: style("3"), Bad: style("1"), Alarm: style("1").Bold(true),
		Strong: r.NewStyle().Bold(true), Faint: r.NewStyle().Faint(true),
	}}
}

// as colours one line of text. Only what never wraps may be coloured before it is laid out.
func (p painter) as(t Tone, text string) string {
	if p.styles == nil || t == Plain || text == "" {
		return text
	}
	return p.styles[t].Render(text)
}

// glyphs is what lines and bars are drawn with.
type glyphs struct {
	ascii               bool
	separator           string
	barFull, barMissing string
}

// glyphsFor picks the glyphs that the locale can show (POSIX.1-2024 §8.2: LC_ALL before LC_CTYPE before LANG).
func glyphsFor(getenv func(string) string) glyphs {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		locale := strings.ToUpper(getenv(name))
		if locale == "" {
			continue
		}
		if strings.Contains(locale, "UTF-8") || strings.Contains(locale, "UTF8") {
			return glyphs{separator: " · ", barFull: "█", barMissing: "░"}
		}
		break
	}
	return glyphs{ascii: true, separator: " | ", barFull: "#", barMissing: "."}
}
