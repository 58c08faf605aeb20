// Package ui shows results to people and to programs: tables, colour, progress and JSON.
//
// # The rules of the terminal
//
// stdout is data: tables, JSON and CSV, nothing else. stderr is talk: the progress bar and
// lines that begin with "sendctl: error:", "warning:" or "hint:". So stdout can be piped at
// any time, and talk is never in the way of a program.
//
// Each stream is judged by itself, once, when the [Output] is made:
//
//   - Colour only on a terminal, and not with --no-color, NO_COLOR (any value but the empty
//     one, as no-color.org has it), CLICOLOR=0 or TERM=dumb. Nothing forces colour onto a
//     pipe. Only the terminal's own sixteen colours are used, so that its theme decides how
//     they look, and nothing is said by colour alone: what is red also says CLEARTEXT.
//   - The progress bar only where stderr is a terminal, and not with -q, CI or TERM=dumb.
//     It is one line, redrawn at most ten times a second and wiped before anything else is
//     written to the terminal.
//   - Lines and bars are drawn with characters beyond ASCII only where LC_ALL, LC_CTYPE or
//     LANG (the first that is set) names UTF-8.
//
// A table on a terminal is as wide as its content and never wider than the terminal, 80
// columns where its width is unknown: long texts wrap at words, then the less important
// columns move to a line of their own under each row. A table in a pipe has no lines, no
// colour and no limit: one row a line, never folded, cut or wrapped; columns are aligned and
// stand at least two spaces apart, and no cell holds two spaces in a row or is empty ("-"),
// so that awk -F'  +' splits it.
//
// Whatever is printed passes mail.Clean, for replies, names of hosts and names of files are
// the words of strangers. JSON keeps such text whole and escapes it instead.
//
// tablewriter and lipgloss are imported here and nowhere else.
package ui
