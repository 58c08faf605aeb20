//go:build unix

package send

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// F5: a file is read whole, whatever its size; what is none is refused without waiting for it, and
// what is not there or not to be read is called so.
func TestOpenFile(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 2047, 2048, inMemory - 1, inMemory, inMemory + 1, 3 * inMemory} {
		name := filepath.Join(t.TempDir(), "a.eml")
		want := bytes.Repeat([]byte("0123456789abcde\n"), size/16+1)[:size]
		if err := os.WriteFile(name, want, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := openFile(name)
		if err != nil {
			t.Fatalf("%d octets: %v", size, err)
		}
		got, err := io.ReadAll(io.NewSectionReader(s, 0, s.size+1))
		if err != nil || s.size != int64(size) || !bytes.Equal(got, want) || (s.file != nil) != (size > inMemory) {
			t.Errorf("%d octets: got %d, said to be %d, open: %v, %v", size, len(got), s.size, s.file != nil, err)
		}
		s.close()
	}
}

func TestOpenFileThatIsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	l, err := net.Listen("unix", at("socket"))
	if err == nil {
		t.Cleanup(func() { _ = l.Close() })
		err = errors.Join(syscall.Mkfifo(at("fifo"), 0o600), os.Mkdir(at("dir"), 0o700), os.Mkdir(at("closed"), 0),
			os.Symlink("nowhere", at("link")), os.WriteFile(at("secret"), nil, 0))
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"socket": at("socket") + " is not a regular file", "fifo": at("fifo") + " is not a regular file",
		"dir": at("dir") + " is not a regular file", "closed": at("closed") + " is not a regular file",
		"link": "stat " + at("link") + ": no such file or directory", "none": "stat " + at("none") + ": no such file or directory",
		"secret": "open " + at("secret") + ": permission denied",
	} {
		if name == "secret" && os.Geteuid() == 0 {
			continue // who may read everything
		}
		_, err := openFile(at(name))
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
		var path *fs.PathError
		if named := name == "link" || name == "none" || name == "secret"; errors.As(err, &path) != named {
			t.Errorf("%s: %#v", name, err)
		}
	}
}

// What is being written to is read as far as it goes beyond its size, for the parser to find.
func TestReadSmallThatChanges(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "a.eml")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int64]string{4: "01234", 9: "0123456789", 10: "0123456789", 20: "0123456789"} {
		fd, err := openRegular(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readSmall(fd, name, size)
		if err != nil || string(got) != want {
			t.Errorf("%d octets: %q, %v", size, got, err)
		}
		if err := syscall.Close(fd); err != nil {
			t.Fatal(err)
		}
	}
}
