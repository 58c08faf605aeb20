package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sendctl/sendctl/pkg/send"
)

// settling is how old a file in a drop folder must be: whoever writes it may not be done.
const settling = 2 * time.Second

// settledInputs leaves out files that may still be written, and takes an empty drop folder
// for what it is: nothing to do.
func settledInputs(ins []send.Input, err error, now time.Time) ([]send.Input, error) {
	var none *exitError
	if errors.As(err, &none) && none.status == exitNoInput && errors.Is(err, errNoFiles) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []send.Input
	for _, in := range ins {
		if in.Data == nil {
			info, err := os.Stat(in.Name)
			if err != nil {
				return nil, fail(exitNoInput, noInput(in.Name, err), "")
			}
			// What is from the future was written before the clock was set back (F14).
			if age := now.Sub(info.ModTime()); age < settling && age > -settling {
				continue
			}
		}
		out = append(out, in)
	}
	return out, nil
}

// moveDone moves files of which everything was accepted. A name that is taken gets a number.
func moveDone(dir string, ins []send.Input, report *send.Report) error {
	refused := map[string]bool{}
	for _, r := range report.Refused {
		refused[r.File] = true
	}
	for i := range report.Rows {
		if r := report.Rows[i]; r.QueueID == "" { // left out by --gate
			refused[r.File] = true
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fail(exitState, fmt.Errorf("--done: %w", err), "")
	}
	for _, in := range ins {
		if in.Data != nil || refused[in.Name] {
			continue
		}
		if err := moveFile(in.Name, dir); err != nil {
			return fail(exitState, fmt.Errorf("--done: %s was accepted, but cannot be moved: %w", in.Name, err),
				"it is not sent twice: run the same command again once that is mended")
		}
	}
	return nil
}

func moveFile(path, dir string) error {
	base := filepath.Base(path)
	for n := 0; ; n++ {
		to := filepath.Join(dir, base)
		if n > 0 {
			ext := filepath.Ext(base)
			to = filepath.Join(dir, fmt.Sprintf("%s.%d%s", base[:len(base)-len(ext)], n, ext))
		}
		// A link fails where the name is taken, a rename would replace it.
		err := os.Link(path, to)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return os.Rename(path, to)
		}
		return os.Remove(path)
	}
}
