package cmd

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// fences are the command lines in the ```sh blocks of a Markdown text. A line that ends in a
// backslash goes on; comments and empty lines are left out.
func fences(text string) []string {
	var out []string
	inside, more := false, false
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "```") {
			inside, more = line == "```sh", false
			continue
		}
		line = strings.TrimSpace(line)
		if !inside || !more && (line == "" || line[0] == '#') {
			continue
		}
		whole, goesOn := strings.CutSuffix(line, "\\")
		if more {
			out[len(out)-1] += whole
		} else {
			out = append(out, whole)
		}
		more = goesOn
	}
	return out
}

func TestFences(t *testing.T) {
	t.Parallel()
	got := fences("```toml\nx\n```\n```sh\n# no\na b \\\n  c\n\nd\n```\ne\n```sh\nf\n```\n")
	if want := []string{"a b c", "d", "f"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Every command line of the README that begins with sendctl runs, in order, on a machine that has
// seen no sendctl yet, with the repository as working directory. Commands that would use the network get
// --sandbox. Usage, input, configuration, state directory and sendctl itself are never at fault.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	goLines := []string{ // as everybody types them
		"go run . send --sandbox --profile hipaa examples/batch",
		"go test ./...",
		"go install github.com/sendctl/sendctl@latest",
	}
	home := t.TempDir()
	ran := 0
	for _, line := range fences(string(text)) {
		switch word, _, _ := strings.Cut(line, " "); {
		case slices.Contains(goLines, line):
			goLines = slices.DeleteFunc(goLines, func(l string) bool { return l == line })
		case word == "sendctl":
			runReadme(t, home, line)
			ran++
		default:
			t.Errorf("README.md: %q is not spelt as everybody types it, or no command of ours; this test knows neither how to run nor how to check it", line)
		}
	}
	for _, line := range goLines {
		t.Errorf("README.md does not show: %s", line)
	}
	if ran == 0 {
		t.Error("README.md shows no command of sendctl")
	}
}

func runReadme(t *testing.T, home, line string) {
	t.Helper()
	line = sandboxedLine(t, line)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir = ".."
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + home, "LC_ALL=C.UTF-8",
		// The state directory of root is not below HOME.
		"SENDCTL_STATE=" + home + "/.local/state/sendctl"}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", line, err)
	}
	status := cmd.ProcessState.ExitCode() // -1 where a signal ended it
	if status < 0 || status == 1 || status == 2 || status > 125 ||
		slices.Contains([]int{exitUsage, exitNoInput, exitBug, exitState, exitConfig}, status) {
		t.Errorf("README.md: %s\nends with %d:\n%s", line, status, out.String())
	}
}

// sandboxedLine adds --sandbox behind the command where it has that flag and would use the
// network: explain does with --dns alone.
func sandboxedLine(t *testing.T, line string) string {
	t.Helper()
	words := strings.Fields(line)
	c, _, err := wholeTree()[0].Find(words[1:])
	if err != nil {
		t.Errorf("README.md: %s: %v", line, err)
		return line
	}
	has := func(flag string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return w == flag || strings.HasPrefix(w, flag+"=") })
	}
	if c.Flags().Lookup("sandbox") == nil || has("--sandbox") || c.Name() == "explain" && !has("--dns") {
		return line
	}
	path := c.CommandPath()
	rest, ok := strings.CutPrefix(line, path)
	if !ok {
		t.Errorf("README.md: %s: write the command right behind sendctl, flags after it", line)
		return line
	}
	return path + " --sandbox" + rest
}

func TestSandboxedLine(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"sendctl send -q x.eml":              "sendctl send --sandbox -q x.eml",
		"sendctl send --sandbox=DIR x.eml":   "sendctl send --sandbox=DIR x.eml",
		"sendctl queue run --now":            "sendctl queue run --sandbox --now",
		"sendctl explain a@tls13.test":       "sendctl explain a@tls13.test",
		"sendctl explain --dns a@tls13.test": "sendctl explain --sandbox --dns a@tls13.test",
		"sendctl profile list":               "sendctl profile list",
	} {
		if got := sandboxedLine(t, line); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}
