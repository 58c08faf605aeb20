//go:build unix

package cmd

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/sandbox"
)

// The directory of examples is a whole configuration, without a fault or anything to warn of.
func TestExamplesConfiguration(t *testing.T) {
	t.Parallel()
	cfg, problems := config.Load("../examples")
	for _, p := range slices.Concat(problems.Errors, problems.Warnings) {
		t.Error(p)
	}
	for pattern, known := range map[string]func(string) bool{
		"rules":    func(name string) bool { _, ok := cfg.Rule(name); return ok },
		"profiles": func(name string) bool { _, ok := cfg.Profile(name); return ok },
	} {
		files, err := filepath.Glob(filepath.Join("../examples", pattern, "*.toml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no examples of %s: %v", pattern, err)
		}
		for _, file := range files {
			if name := strings.TrimSuffix(filepath.Base(file), ".toml"); !known(name) {
				t.Errorf("%s was not loaded", file)
			}
		}
	}
	if len(cfg.Settings.Pools["medical"].Sources) != 2 {
		t.Error("sendctl.toml was not loaded")
	}
}

// job is one line of a crontab, or a service, as it is installed.
type job struct {
	command string
	env     []string // NAME=VALUE
}

func readExample(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../examples/cron", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// cronJob reads the crontab as cron does: the environment, and one line with five fields of time,
// the user and the command (crontab(5)).
func cronJob(t *testing.T) job {
	t.Helper()
	var j job
	for line := range strings.SplitSeq(readExample(t, "crontab"), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		if name, _, ok := strings.Cut(line, "="); ok && !strings.ContainsAny(name, " *") {
			j.env = append(j.env, line)
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 7 || j.command != "" {
			t.Fatalf("crontab: %q is not the one line with times, user and command", line)
		}
		for _, f := range fields[:5] {
			if strings.Trim(f, "0123456789*/,-") != "" {
				t.Errorf("crontab: %q is no time", f)
			}
		}
		j.command = strings.Join(fields[6:], " ")
	}
	return j
}

// serviceJob reads the unit of systemd.
func serviceJob(t *testing.T) job {
	t.Helper()
	var j job
	settings := map[string]string{}
	for line := range strings.SplitSeq(readExample(t, "sendctl.service"), "\n") {
		key, value, _ := strings.Cut(line, "=")
		if key == "Environment" {
			j.env = append(j.env, strings.Fields(value)...)
		}
		settings[key] = value
	}
	for key, want := range map[string]string{"Type": "oneshot", "SuccessExitStatus": "75", "StateDirectory": "sendctl", "StateDirectoryMode": "0700"} {
		if settings[key] != want {
			t.Errorf("sendctl.service: %s=%s, want %s", key, settings[key], want)
		}
	}
	j.command = settings["ExecStart"]
	return j
}

// installed is where a job's files are in a test.
type installed struct{ dir, box, scripts string }

// run runs a job in the sandbox, with its directories in place of the machine's, and gives its
// exit status and what it said.
func (in installed) run(t *testing.T, j job) (int, string) {
	t.Helper()
	place := strings.NewReplacer("/srv/sendctl", in.dir, "/var/lib/sendctl", filepath.Join(in.dir, "state"),
		"/etc/sendctl", filepath.Join(in.dir, "etc"), "/usr/local/libexec", in.scripts)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", place.Replace(j.command)+" --sandbox="+in.box)
	for _, kv := range j.env {
		if !strings.HasPrefix(kv, "PATH=") {
			cmd.Env = append(cmd.Env, place.Replace(kv))
		}
	}
	cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"))
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(said)
}

// drop puts a file into the drop folder that has been there for a while.
func (in installed) drop(t *testing.T, name string, text []byte) {
	t.Helper()
	path := filepath.Join(in.dir, "drop", name)
	past := time.Now().Add(-time.Minute)
	if err := errors.Join(os.WriteFile(path, text, 0o600), os.Chtimes(path, past, past)); err != nil {
		t.Fatal(err)
	}
}

func (in installed) files(t *testing.T, folder string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(in.dir, folder))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// The drop folder as cron calls it: everything is sent once, silence while all is well or deferred,
// words and a status when somebody is needed.
func TestExamplesCron(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	scripts, err := filepath.Abs("../examples/cron")
	if err != nil {
		t.Fatal(err)
	}
	in := installed{dir, filepath.Join(dir, "box"), scripts}
	for _, sub := range []string{"drop", "etc", "state"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	box, err := sandbox.Start(sandbox.Options{Dir: in.box, Keep: sandbox.KeepEnvelopes})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	batch := func(name string) {
		text, err := os.ReadFile(filepath.Join("../examples/batch", name))
		if err != nil {
			t.Fatal(err)
		}
		in.drop(t, name, text)
	}
	expect := func(j job, status int, says string) {
		t.Helper()
		got, said := in.run(t, j)
		if got != status || says == "" && said != "" || !strings.Contains(said, says) {
			t.Fatalf("exit status %d, want %d; said %q, want %q", got, status, said, says)
		}
	}
	cron := cronJob(t)
	expect(cron, exitOK, "") // nothing there yet
	batch("01-lab-result.eml")
	batch("07-greylisted.eml")
	expect(cron, exitDeferred, "")
	if got := in.files(t, "drop"); got != "" {
		t.Errorf("left in the drop folder: %s", got)
	}
	batch("06-typing-error.eml")
	expect(cron, exitBounced, "nobody@unknown.test")
	in.drop(t, "bad.eml", []byte("no header at all"))
	expect(cron, exitInvalid, "bad.eml")
	if got := in.files(t, "drop"); got != "bad.eml" {
		t.Errorf("in the drop folder: %q; what was refused stays", got)
	}
	if err := os.Remove(filepath.Join(dir, "drop", "bad.eml")); err != nil {
		t.Fatal(err)
	}
	// The retry is not waited for.
	now := exec.CommandContext(t.Context(), "sendctl", "queue", "run", "--now", "--sandbox="+in.box)
	now.Env = append(os.Environ(), "HOME="+dir, "SENDCTL_CONFIG=", "SENDCTL_STATE=")
	if out, err := now.CombinedOutput(); err != nil {
		t.Fatalf("queue run --now: %v\n%s", err, out)
	}
	expect(cron, exitOK, "")
	expect(serviceJob(t), exitOK, "")
	if got := in.files(t, "sent"); got != "01-lab-result.eml 06-typing-error.eml 07-greylisted.eml" {
		t.Errorf("moved: %s", got)
	}
	once := map[string]int{}
	for _, d := range box.Received() {
		for _, r := range d.Recipients {
			once[r.Address]++
		}
	}
	for _, address := range []string{"ada@tls13.test", "patient@greylist.test"} {
		if once[address] != 1 {
			t.Errorf("%s got %d copies", address, once[address])
		}
	}
}

// Scripts are read by the shell without running them.
func TestExamplesShell(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../examples/cron/*")
	if err != nil {
		t.Fatal(err)
	}
	scripts := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(text, []byte("#!")) {
			continue
		}
		scripts++
		if info, err := os.Stat(file); err != nil || info.Mode()&0o111 == 0 {
			t.Errorf("%s cannot be executed: %v", file, err)
		}
		for _, shell := range []string{"sh", "bash"} {
			if _, err := exec.LookPath(shell); err != nil {
				continue // sh is everywhere; bash may not be
			}
			if out, err := exec.CommandContext(t.Context(), shell, "-n", file).CombinedOutput(); err != nil {
				t.Errorf("%s -n %s: %v\n%s", shell, file, err, out)
			}
		}
	}
	if scripts == 0 {
		t.Error("no script among the examples")
	}
}
