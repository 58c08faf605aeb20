package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/sendctl/sendctl/pkg/config"
)

// texts is where the text of profiles or rules comes from and goes to.
type texts struct {
	source  func(name string) ([]byte, error)
	replace func(name string, before, after []byte) (string, error)
}

func profileTexts(dir string) texts {
	return texts{
		func(name string) ([]byte, error) {
			// An edit of nothing tells beforehand whether the profile may be edited at all.
			if _, err := config.EditProfile(dir, name, config.ProfileFields{}); err != nil {
				return nil, err
			}
			return config.ProfileSource(dir, name)
		},
		func(name string, before, after []byte) (string, error) {
			return config.ReplaceProfile(dir, name, before, after)
		},
	}
}

func ruleTexts(dir string) texts {
	return texts{
		func(name string) ([]byte, error) { return config.RuleSource(dir, name) },
		func(name string, before, after []byte) (string, error) {
			return config.ReplaceRule(dir, name, before, after)
		},
	}
}

// edit opens a copy of a file in $EDITOR and puts it in the file's place once it is valid; the
// path is "" where nothing was changed. On a terminal what is wrong is told and the copy opened
// again; else the copy is left to the user.
func (a *app) edit(ctx context.Context, t texts, name string) (string, error) {
	before, err := t.source(name)
	if err != nil {
		return "", err
	}
	path, err := writeCopy(name, before)
	if err != nil {
		return "", err
	}
	for {
		after, err := a.runEditor(ctx, path)
		if err != nil {
			return "", err
		}
		if bytes.Equal(before, after) {
			return "", os.Remove(path)
		}
		file, err := t.replace(name, before, after)
		if err == nil {
			return file, os.Remove(path)
		}
		if !a.again(ctx, err) {
			return "", fail(statusOf(asExit(err)), err, "what you wrote is in "+path)
		}
	}
}

// writeCopy writes what is to be edited to a file of its own, which nobody else can read.
func writeCopy(name string, text []byte) (string, error) {
	f, err := os.CreateTemp("", "sendctl-"+name+"-*.toml")
	if err != nil {
		return "", fail(exitConfig, fmt.Errorf("writing a copy to edit: %w", err), "")
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fail(exitConfig, fmt.Errorf("writing a copy to edit: %w", err), "")
	}
	return f.Name(), nil
}

// runEditor opens a file in the user's editor and gives what is in it afterwards.
func (a *app) runEditor(ctx context.Context, path string) ([]byte, error) {
	editor := a.getenv("EDITOR")
	if editor == "" {
		editor = a.getenv("VISUAL")
	}
	if editor == "" {
		if !isTerminal(a.stdin) {
			return nil, usagef("give flags, or set EDITOR", "there is no editor: EDITOR is not set")
		}
		editor = "vi"
	}
	// As git does: EDITOR may hold arguments, so the shell takes it apart.
	c := exec.CommandContext(ctx, "/bin/sh", "-c", editor+` "$@"`, editor, path)
	c.Stdin, c.Stdout, c.Stderr = a.stdin, a.stdout, a.stderr
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fail(exitInterrupted, errors.New("interrupted: nothing was written"), "what you wrote is in "+path)
		}
		return nil, usagef("what you wrote is in "+path, "the editor %s failed, nothing was written: %w", editor, err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fail(exitConfig, fmt.Errorf("reading what was edited: %w", err), "")
	}
	return data, nil
}

// again tells what is wrong and asks whether to open the editor once more.
func (a *app) again(ctx context.Context, err error) bool {
	q := a.asker(ctx)
	var e *config.Error
	if q == nil || !errors.As(err, &e) {
		return false
	}
	for _, p := range e.Problems {
		_, _ = fmt.Fprintf(a.stderr, "  %s\n", p)
		if p.Hint != "" {
			_, _ = fmt.Fprintf(a.stderr, "    %s\n", p.Hint)
		}
	}
	if len(e.Problems) == 0 {
		return false
	}
	s, askErr := q.ask("Edit it again (yes, no)", "yes")
	return askErr == nil && strings.HasPrefix(strings.ToLower(s), "y")
}
