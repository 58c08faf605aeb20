package cmd

import (
	"bytes"
	"strings"
	"testing"
)

// A panic is a bug and says so: 70, with its stack.
func TestPanicIsABug(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	status := run(t.Context(), surroundings{
		args: []string{"version"}, stdin: strings.NewReader(""), stdout: panicking{}, stderr: &stderr,
		getenv: func(string) string { return "" },
	})
	if status != exitBug || !strings.Contains(stderr.String(), "a bug in sendctl: no writer") || !strings.Contains(stderr.String(), "root_test.go") {
		t.Errorf("status %d\n%s", status, stderr.String())
	}
}

type panicking struct{}

func (panicking) Write([]byte) (int, error) { panic("no writer") }
