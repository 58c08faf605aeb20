package send

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sendctl/sendctl/pkg/mail"
)

// F5: what ails this machine is no fault of the message, and comes with what to do about it.
func TestRefusal(t *testing.T) {
	t.Parallel()
	failure := func(errno error) error {
		return fmt.Errorf("reading the message at octet 0: %w", &fs.PathError{Op: "read", Path: "a.eml", Err: errno})
	}
	for name, tt := range map[string]struct {
		err    error
		unread bool
		hint   string
	}{
		"invalid":        {&mail.ParseError{Line: 3, Reason: "no", Hint: "mend it"}, false, "mend it"},
		"changed":        {fmt.Errorf("reading the message: %w", mail.ErrChanged), false, ""},
		"own limit":      {failure(syscall.EMFILE), true, "ulimit -n"},
		"system's limit": {failure(syscall.ENFILE), true, "fs.file-max"},
		"memory":         {failure(syscall.ENOMEM), true, "memory"},
		"disk":           {failure(syscall.EIO), true, "disk"},
		"permission":     {failure(syscall.EACCES), true, "let the user"},
		"gone":           {failure(syscall.ENOENT), true, "moved or removed"},
		"anything else":  {failure(errors.New("odd")), true, ""},
	} {
		r := refusal("a.eml", tt.err)
		if r.File != "a.eml" || r.Error == "" || r.Unread != tt.unread || !strings.Contains(r.Hint, tt.hint) || tt.hint == "" && r.Hint != "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// F5: only the first that meets a shortage which lasts waits for its end, and it is over when
// a file can be opened.
func TestOpenPatiently(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.eml")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	var short shortage
	short.lasts.Store(true)
	f, err := patiently(&short, func() (*os.File, error) { return os.Open(path) })
	if err != nil || short.lasts.Load() {
		t.Fatalf("%v, a shortage: %v", err, short.lasts.Load())
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := patiently(&short, func() (*os.File, error) { return os.Open(path + "x") }); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
