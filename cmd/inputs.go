package cmd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sendctl/sendctl/pkg/send"
)

// errNoFiles means that paths were named in which there is nothing to send.
var errNoFiles = errors.New("no .eml files")

// maxStdin bounds a message on standard input, which is held in memory.
const maxStdin = 256 << 20

// inputs turns the paths of a command line into messages: a file as it is, a directory's
// *.eml in the order of their names, "-" for one message on standard input.
func (a *app) inputs(paths []string, list string) ([]send.Input, error) {
	if list != "" {
		listed, err := a.readList(list)
		if err != nil {
			return nil, err
		}
		paths = slices.Concat(paths, listed)
	}
	if len(paths) == 0 {
		return nil, usagef("name .eml files or a directory of them, or - for standard input", "nothing to send")
	}
	var out []send.Input
	for _, p := range paths {
		ins, err := a.expand(p)
		if err != nil {
			return nil, err
		}
		out = append(out, ins...)
	}
	if len(out) == 0 {
		return nil, fail(exitNoInput, fmt.Errorf("%w in %s", errNoFiles, strings.Join(paths, ", ")), "")
	}
	return out, nil
}

func (a *app) expand(path string) ([]send.Input, error) {
	if path == "-" {
		in, err := send.ReadInput("-", a.stdin, maxStdin)
		if err != nil {
			return nil, fail(exitNoInput, err, "")
		}
		return []send.Input{in}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fail(exitNoInput, noInput(path, err), "")
	}
	if !info.IsDir() {
		return []send.Input{{Name: path}}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fail(exitNoInput, noInput(path, err), "")
	}
	out := make([]send.Input, 0, len(entries))
	for _, e := range entries {
		if !e.IsDir() && strings.EqualFold(filepath.Ext(e.Name()), ".eml") {
			out = append(out, send.Input{Name: filepath.Join(path, e.Name())})
		}
	}
	return out, nil
}

func noInput(path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}

// readList reads the names of files, one a line; empty lines and lines that begin with # are
// left out. "-" is standard input.
func (a *app) readList(list string) ([]string, error) {
	r := a.stdin
	if list != "-" {
		f, err := os.Open(list)
		if err != nil {
			return nil, fail(exitNoInput, noInput(list, err), "")
		}
		defer f.Close()
		r = f
	}
	return readLines(list, r)
}

func readLines(name string, r io.Reader) ([]string, error) {
	var out []string
	s := bufio.NewScanner(r)
	for s.Scan() {
		if line := strings.TrimSpace(s.Text()); line != "" && !strings.HasPrefix(line, "#") {
			out = append(out, line)
		}
	}
	if err := s.Err(); err != nil {
		return nil, fail(exitNoInput, fmt.Errorf("reading %s: %w", name, err), "")
	}
	return out, nil
}
