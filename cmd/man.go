package cmd

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) manCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "man [COMMAND...]",
		Short: "Print the manual page of a command, or write all of them into a directory",
		Long: `Print the manual page of a command, in the language of man (roff), or with --dir write one page
for every command.

EXIT STATUS
  0 done · 64 usage, or there is no such command · 74 the pages cannot be written`,
		Example: `  sendctl man send | man -l -
  sendctl man --dir /usr/local/share/man/man1`,
		ValidArgsFunction: completeCommands,
		RunE: func(c *cobra.Command, args []string) error {
			if dir != "" && len(args) == 0 {
				return a.writePages(c.Root(), dir)
			}
			if dir != "" {
				return usagef("leave out "+strings.Join(args, " "), "--dir writes the pages of all commands")
			}
			about, err := commandNamed(c.Root(), args)
			if err != nil {
				return err
			}
			if _, err := io.WriteString(a.stdout, manPage(about)); err != nil {
				return fail(exitState, fmt.Errorf("writing the page: %w", err), "")
			}
			return nil
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "write the pages of all commands into `DIR`")
	return c
}

// writePages writes NAME.1 for each command; manual pages are for everybody to read.
func (a *app) writePages(root *cobra.Command, dir string) error {
	out, err := a.output()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // G301: others read manuals too
		return fail(exitState, fmt.Errorf("making the directory of the pages: %w", err), "")
	}
	all := available(root)
	for _, c := range all {
		file := filepath.Join(dir, pageName(c)+".1")
		if err := os.WriteFile(file, []byte(manPage(c)), 0o644); err != nil { //nolint:gosec // G306: see above
			return fail(exitState, fmt.Errorf("writing a page: %w", err), "")
		}
	}
	return out.Line(plural(len(all), "page") + " in " + dir)
}

// available is a command and all below it that people are told of.
func available(c *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			out = append(out, available(sub)...)
		}
	}
	return out
}
