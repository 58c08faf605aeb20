package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/internal/atomicfile"
	"github.com/sendctl/sendctl/pkg/internal/tomldoc"
)

const (
	fileMode = 0o644 // configuration holds no secrets; keys lie in files of their own
	dirMode  = 0o755
)

// part is one of the two kinds of files that are edited.
type part struct {
	dir  string // under the configuration directory
	noun string
}

func profilePart() part { return part{"profiles", "profile"} }
func rulePart() part    { return part{"rules", "rule"} }

func (p part) path(dir, name string) string { return filepath.Join(dir, p.dir, name+".toml") }

// field is one key that an edit sets, or removes where value is nil.
type field struct {
	path  []string
	value any
}

// textField adds a key to an edit where it is given; empty text removes the key.
func textField(fields []field, value *string, path ...string) []field {
	switch {
	case value == nil:
		return fields
	case *value == "":
		return append(fields, field{path, nil})
	}
	return append(fields, field{path, *value})
}

// listField adds a key to an edit where it is given; an empty list removes the key.
func listField(fields []field, value *[]string, path ...string) []field {
	switch {
	case value == nil:
		return fields
	case len(*value) == 0:
		return append(fields, field{path, nil})
	}
	return append(fields, field{path, *value})
}

// flagField adds a key to an edit where it is given.
func flagField(fields []field, value *bool, path ...string) []field {
	if value == nil {
		return fields
	}
	return append(fields, field{path, *value})
}

// splice sets the fields in a file, comments kept.
func splice(data []byte, fields []field) ([]byte, error) {
	for _, f := range fields {
		var err error
		if f.value == nil {
			data, err = tomldoc.Unset(data, f.path)
		} else {
			data, err = tomldoc.Set(data, f.path, f.value)
		}
		if err != nil {
			return nil, err
		}
	}
	return data, nil
}

// writer changes one file of the configuration, under the lock.
type writer struct {
	part
	dir, name, path string
	before          Problems
	config          *Config
	release         func()
	made            []string // directories
	done            bool
}

// look prepares a change without touching anything.
func (p part) look(dir, name string) (*writer, error) {
	if dir == "" {
		return nil, &Error{Message: "there is no configuration directory to write to", Hint: "name one with --config"}
	}
	if !ValidName(name) {
		return nil, &UsageError{quoted(name) + " is no name for a " + p.noun, nameForm}
	}
	w := &writer{part: p, dir: dir, name: name, path: p.path(dir, name), release: func() {}}
	w.config, w.before = load(dir, map[string][]byte{})
	return w, nil
}

// open begins a change: it makes sure of the directories, takes the lock and reads what is there.
func (p part) open(dir, name string) (*writer, error) {
	w, err := p.look(dir, name)
	if err != nil {
		return nil, err
	}
	if w.made, err = atomicfile.MkdirAll(filepath.Dir(w.path), dirMode); err != nil {
		w.close()
		return nil, writeError(err)
	}
	release, err := lock(dir)
	if err != nil {
		w.close()
		return nil, writeError(err)
	}
	w.release = release
	w.config, w.before = Load(dir) // again, now that nobody else writes
	return w, nil
}

// openExisting begins a change of a file that is there.
func (p part) openExisting(dir, name string) (*writer, error) {
	if !p.exists(dir, name) {
		return nil, p.none(dir, name)
	}
	return p.open(dir, name)
}

// exists tells whether there is a file of that name, broken or not.
func (p part) exists(dir, name string) bool {
	if dir == "" || !ValidName(name) {
		return false
	}
	_, err := os.Lstat(p.path(dir, name))
	return err == nil
}

// none is the error for a name that is not there.
func (p part) none(dir, name string) error {
	c, _ := Load(dir)
	names := c.RuleNames()
	if p == profilePart() {
		names = c.ProfileNames()
	}
	return p.unknown(name, names)
}

// unknown is the error for a name that is none of names.
func (p part) unknown(name string, names []string) error {
	return &Error{Message: "there is no " + p.noun + " " + quoted(name), Hint: known(p.dir, name, names)}
}

// source reads a file, or gives the error for a name that is not there.
func (p part) source(dir, name string) ([]byte, error) {
	if !p.exists(dir, name) {
		return nil, p.none(dir, name)
	}
	w := writer{part: p, path: p.path(dir, name)}
	return w.current()
}

// close ends a change; directories that were made for nothing go again.
func (w *writer) close() {
	if !w.done {
		for _, dir := range slices.Backward(w.made) {
			_ = os.Remove(dir) // not empty: somebody else's
		}
	}
	w.release()
}

// current is what stands in the file now.
func (w *writer) current() ([]byte, error) {
	c, err := readFile(w.path, maxFile)
	if err != nil {
		text, hint := why(err)
		return nil, &Error{Message: "reading " + w.path + ": " + text, Hint: hint, Cause: err}
	}
	return c.data, nil
}

// create writes a new file that data must make valid.
func (w *writer) create(data []byte) error {
	if err := w.check(data); err != nil {
		return err
	}
	err := atomicfile.Create(w.path, data, fileMode)
	if errors.Is(err, fs.ErrExist) {
		return w.taken()
	}
	w.done = err == nil
	return writeError(err)
}

// replace writes what an edit made of a file, unless that is the same or faulty.
func (w *writer) replace(old, data []byte) error {
	if bytes.Equal(old, data) {
		w.done = true
		return nil
	}
	if err := w.check(data); err != nil {
		return err
	}
	w.done = true
	return writeError(atomicfile.Replace(w.path, data, fileMode))
}

// remove takes the file away.
func (w *writer) remove() error {
	w.done = true
	return writeError(atomicfile.Remove(w.path))
}

// check holds that with data in place the file is valid and no other becomes invalid.
func (w *writer) check(data []byte) error {
	_, after := load(w.dir, map[string][]byte{w.path: data})
	var found []Problem
	for _, p := range after.Errors {
		if p.File == w.path || !slices.ContainsFunc(w.before.Errors, func(old Problem) bool {
			return old.File == p.File && old.Message == p.Message
		}) {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil
	}
	e := errorOf(found)
	e.Message, e.Hint = "nothing was written: "+e.Message, found[0].Hint
	return e
}

// blame turns the error of a change that consists of what the caller asked for into a
// *UsageError, where the fault lies in that and not in what it refers to.
func (w *writer) blame(err error) error {
	var e *Error
	if !errors.As(err, &e) || len(e.Problems) == 0 {
		return err
	}
	for _, p := range e.Problems {
		old := slices.ContainsFunc(w.before.Errors, func(q Problem) bool { return q.File == p.File && q.Message == p.Message })
		if p.elsewhere || p.File != w.path || old {
			return err
		}
	}
	return &UsageError{e.Problems[0].Message, e.Problems[0].Hint}
}

func (w *writer) taken() error {
	return &Error{
		Message: fmt.Sprintf("there is a %s %s already: %s", w.noun, w.name, w.path),
		Hint:    "sendctl " + w.noun + " edit " + w.name + " changes it",
	}
}

func writeError(err error) error {
	if err == nil {
		return nil
	}
	e := &Error{Message: err.Error(), Cause: err}
	if errors.Is(err, fs.ErrPermission) {
		e.Hint = "run it as the user that the configuration belongs to, or name another directory with --config"
	}
	return e
}

// replaceFile puts after in the place of a file that held before; see ReplaceProfile.
func (p part) replaceFile(dir, name string, before, after []byte) (string, error) {
	w, err := p.open(dir, name)
	if err != nil {
		return "", err
	}
	defer w.close()
	now, err := w.current()
	if err != nil {
		return "", err
	}
	if !bytes.Equal(now, before) {
		return "", &Error{Message: w.path + " was changed by somebody else meanwhile", Hint: "begin again with what stands there now"}
	}
	return w.path, w.replace(now, after)
}

// lines writes a table of a new file, its equals signs in one column.
func lines(fields []field) (string, error) {
	const width = len("description")
	var b strings.Builder
	for _, f := range fields {
		if f.value == nil {
			continue
		}
		literal, err := tomldoc.Literal(f.value)
		if err != nil {
			return "", &UsageError{err.Error(), ""}
		}
		fmt.Fprintf(&b, "%-*s = %s\n", width, f.path[len(f.path)-1], literal)
	}
	return b.String(), nil
}

// section is a table of a new file, under its header where it has one.
type section struct {
	header string
	fields []field
}

// compose writes a new file.
func compose(sections ...section) ([]byte, error) {
	var b strings.Builder
	for _, s := range sections {
		text, err := lines(s.fields)
		if err != nil {
			return nil, err
		}
		if s.header != "" {
			fmt.Fprintf(&b, "\n[%s]\n", s.header)
		}
		b.WriteString(text)
	}
	return []byte(b.String()), nil
}

// today is the moment that create writes down.
func today() time.Time { return time.Now().UTC().Truncate(time.Second) }
