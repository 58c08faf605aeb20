package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Greylist remembers the pairs of sender and recipient that have been tried, in memory or in a file.
type Greylist struct {
	mu   sync.Mutex
	seen map[[2]string]bool
	file *os.File // nil: in memory alone
	err  error    // why a pair could not be written
}

// OpenGreylist opens the memory kept in a file, which is made (0600) where missing, with its directory
// (0700); an empty path keeps it in memory.
func OpenGreylist(path string) (*Greylist, error) {
	g := &Greylist{seen: map[[2]string]bool{}}
	if path == "" {
		return g, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of the sandbox's greylist: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the sandbox's greylist: %w", err)
	}
	if err := g.load(f); err != nil {
		return nil, errors.Join(fmt.Errorf("reading the sandbox's greylist: %w", err), f.Close())
	}
	g.file = f
	return g, nil
}

// load reads the pairs, one to a line.
func (g *Greylist) load(f *os.File) error {
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(text) {
		var pair [2]string
		// A line that a crash cut short is as if never written.
		if json.Unmarshal(line, &pair) == nil {
			g.seen[pair] = true
		}
	}
	if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
		_, err = f.WriteString("\n") // so that the next pair does not run into it
	}
	return err
}

// Close closes the file and tells of the first pair that could not be written.
func (g *Greylist) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.file == nil {
		return nil
	}
	err := errors.Join(g.err, g.file.Close())
	g.file = nil
	return err
}

// Script answers the first RCPT of each pair of sender and recipient with 451.
func (g *Greylist) Script() Script {
	return func(e Event) *Action {
		if e.Verb != "RCPT" || !g.first(e.MailFrom, e.Path) {
			return nil
		}
		return Reply("451 4.7.1 greylisted, please try again later")
	}
}

// first notes the pair and reports whether it is new.
func (g *Greylist) first(sender, recipient string) bool {
	pair := [2]string{strings.ToLower(sender), strings.ToLower(recipient)}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.seen[pair] {
		return false
	}
	g.seen[pair] = true
	if g.file != nil {
		line, err := json.Marshal(pair)
		if err == nil {
			_, err = g.file.Write(append(line, '\n'))
		}
		if err != nil && g.err == nil {
			g.err = fmt.Errorf("writing the sandbox's greylist: %w", err)
		}
	}
	return true
}
