package cmd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// clockFile names a file that says by how much the clock of a command of these tests is wrong.
const clockFile = "SENDCTL_TEST_CLOCK"

// setClock is the clock of a command: the file is read whenever it is asked for the time, so
// that it can be set in the middle of a run. It has no monotonic part: whatever measures time
// by it sees the jump in full.
func setClock() func() time.Time {
	path := os.Getenv(clockFile)
	if path == "" {
		return time.Now
	}
	return func() time.Time {
		text, _ := os.ReadFile(path)
		wrong, _ := time.ParseDuration(string(text))
		return time.Now().Add(wrong).Round(0)
	}
}

// TestMain lets the scripts run the command itself, each time in a process of its own.
func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		status := runProcess(setClock())
		if file := os.Getenv(statusFile); file != "" {
			keepStatus(file)
		}
		os.Exit(status)
	}
	testscript.Main(m, map[string]func(){
		"sendctl": func() { os.Exit(Main()) },
	})
}

// statusFile names the file into which a command that is to be measured copies what Linux says of
// it at its end. What wait(2) says of memory is that of the process that started it, if that had more.
const statusFile = "SENDCTL_TEST_STATUS"

func keepStatus(file string) {
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		err = os.WriteFile(file, status, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// The scripts under testdata/script are the command line's specification: each runs sendctl
// as a user would, against sandboxes, and checks output and exit status.
func TestScripts(t *testing.T) {
	t.Parallel()
	examples, err := filepath.Abs("../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			for k, v := range map[string]string{
				"HOME": env.WorkDir, "EXAMPLES": examples, "SENDCTL_CONFIG": "", "SENDCTL_STATE": "",
				"XDG_CONFIG_HOME": "", "XDG_STATE_HOME": "", "LC_ALL": "C.UTF-8", "NO_COLOR": "", "TERM": "xterm",
			} {
				env.Setenv(k, v)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "waitfor": waitfor, "stop": stop,
		},
	})
}

// exits runs a command and demands its exit status: exits N command args...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS command args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var ee *exec.ExitError
	switch {
	case errors.As(err, &ee):
		got = ee.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%s", fmt.Sprintf("exit status %d, want %d", got, want))
	}
}

// waitfor waits until a background command has made a file: waitfor FILE.
func waitfor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor FILE")
	}
	path := ts.MkAbs(args[0])
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if _, err := os.Stat(path); err == nil {
			return
		}
		time.Sleep(5 * time.Millisecond) // polls another process, which has no other way to tell
	}
	ts.Fatalf("%s did not appear", args[0])
}

// stop interrupts a background command and waits for its end: stop NAME.
func stop(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: stop NAME")
	}
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(os.Interrupt))
		_ = cmd.Wait() // its status is no part of the script
	}
}
