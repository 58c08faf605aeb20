//go:build peers && linux

package cmd_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	postfixMaster = "/usr/lib/postfix/sbin/master"
	// peerPatience is how long a real server may take for what it does at once as a rule.
	peerPatience = 20 * time.Second
)

// postfix is a running private instance.
type postfix struct{ dir string }

// startPostfixes runs the hosts of the net: home by an instance of its own, all others by another one.
func startPostfixes(t *testing.T, n *peersNet) (others, home *postfix) {
	t.Helper()
	const tries = 3
	for range tries {
		if err := closeAll(n.listen(t)); err != nil {
			t.Fatal(err)
		}
		last := len(n.hosts) - 1
		others = preparePostfix(t, n, n.hosts[:last])
		home = preparePostfix(t, n, n.hosts[last:])
		if others.run(t) && home.run(t) {
			return others, home
		}
		t.Log("the port was taken in between; trying another one")
	}
	t.Fatalf("no port stayed free until Postfix had it, %d times", tries)
	return nil, nil
}

// preparePostfix makes the directories and files of an instance.
func preparePostfix(t *testing.T, n *peersNet, hosts []*peerHost) *postfix {
	t.Helper()
	dir := openDir(t)
	uid, gid := userIDs(t, "postfix")
	nobody, nogroup := userIDs(t, "nobody")
	group, err := user.LookupGroup("postdrop")
	if err != nil {
		absent(t, "Postfix is not installed: %v", err)
	}
	drop, err := strconv.Atoi(group.Gid)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"", "etc", "queue", "queue/pid"} {
		makeDir(t, filepath.Join(dir, d), 0o755, 0, 0)
	}
	for d := range strings.FieldsSeq("active bounce corrupt defer deferred flush hold incoming private saved trace") {
		makeDir(t, filepath.Join(dir, "queue", d), 0o700, uid, 0)
	}
	makeDir(t, filepath.Join(dir, "queue/maildrop"), 0o730, uid, drop)
	makeDir(t, filepath.Join(dir, "queue/public"), 0o710, uid, drop)
	makeDir(t, filepath.Join(dir, "data"), 0o700, uid, gid)
	makeDir(t, filepath.Join(dir, "mail"), 0o755, nobody, nogroup)

	ca := filepath.Join(dir, "etc/ca.pem")
	n.write(t, ca, n.pki.public.PEM(), 0o644)
	main := strings.NewReplacer("@DIR@", dir, "@UID@", strconv.Itoa(nobody), "@GID@", strconv.Itoa(nogroup))
	n.write(t, filepath.Join(dir, "etc/main.cf"), []byte(main.Replace(readTestdata(t, "main.cf"))), 0o644)
	services := readTestdata(t, "master.cf")
	for _, h := range hosts {
		chain := filepath.Join(dir, "etc", h.name+".pem")
		own := fmt.Sprintf("-o myhostname=%s -o syslog_name=%s -o smtpd_tls_chain_files=%s", h.mx(), h.name, chain)
		if h.options == "postscreen" { // with what it hands sessions to: one a Postfix
			services += fmt.Sprintf("%s:%d inet n - n - 1 postscreen %s\n", h.addr, n.port, own) +
				"dnsblog unix - - n - 0 dnsblog\ntlsproxy unix - - n - 0 tlsproxy " + own + "\nsmtpd pass - - n - - smtpd " + own + "\n"
		} else {
			services += fmt.Sprintf("%s:%d inet n - n - - smtpd %s %s\n", h.addr, n.port, own, strings.ReplaceAll(h.options, "@CA@", ca))
		}
		key, certs := pemOf(t, h.cert)
		n.write(t, chain, slices.Concat(key, certs), 0o600)
	}
	n.write(t, filepath.Join(dir, "etc/master.cf"), []byte(services), 0o644)
	return &postfix{dir: dir}
}

// run starts the instance until the test ends; false where somebody else took one of its ports.
func (p *postfix) run(t *testing.T) bool {
	t.Helper()
	etc := filepath.Join(p.dir, "etc")
	cmd := exec.Command(postfixMaster, "-c", etc, "-s")
	cmd.Env = append(os.Environ(), "MAIL_CONFIG="+etc)
	// It makes a process group of its own, which its children are in. Should this process be killed, so is Postfix.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	talk, err := os.Create(filepath.Join(p.dir, "talk"))
	if err != nil {
		t.Fatal(err)
	}
	defer talk.Close()
	cmd.Stdout, cmd.Stderr = talk, talk
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // by a signal, as a rule
		close(ended)
	}()
	t.Cleanup(func() { p.stop(t, cmd.Process, ended) })
	deadline := time.After(peerPatience)
	for !strings.Contains(p.log(t), "daemon started") {
		select {
		case <-time.After(10 * time.Millisecond):
			continue
		case <-ended:
		case <-deadline:
		}
		said, err := os.ReadFile(talk.Name())
		if err != nil {
			t.Fatal(err)
		}
		if all := p.log(t) + string(said); !strings.Contains(all, "Address already in use") {
			t.Fatalf("Postfix does not come up: %s", all)
		}
		return false
	}
	return true
}

// stop ends the instance and returns when none of its processes is left.
func (p *postfix) stop(t *testing.T, master *os.Process, ended <-chan struct{}) {
	if t.Failed() && testing.Verbose() {
		t.Log(p.log(t))
	}
	if err := master.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	<-ended
	for deadline := time.Now().Add(peerPatience); groupLives(t, master.Pid); {
		if err := syscall.Kill(-master.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
		if time.Now().After(deadline) {
			t.Error("processes of Postfix are left")
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// groupLives reports whether a process group has a process that has not ended. One that nobody
// has buried yet (in a container without an init, nobody does) has ended.
func groupLives(t *testing.T, group int) bool {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, stat := range stats {
		b, err := os.ReadFile(stat)
		if err != nil {
			continue // it is gone
		}
		// proc(5): pid (name) state ppid pgrp …
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(fields) > 2 && fields[2] == strconv.Itoa(group) && fields[0] != "Z" && fields[0] != "X" {
			return true
		}
	}
	return false
}

// log is what the instance has logged so far.
func (p *postfix) log(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(p.dir, "maillog"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

// idle waits until every session has been logged as over and the queue is empty, so that what
// was accepted lies in the maildir.
func (p *postfix) idle(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(peerPatience); ; {
		log := p.log(t)
		open := strings.Count(log, ": connect from ") - strings.Count(log, ": disconnect from ")
		var queued []string
		for _, q := range []string{"incoming", "active", "maildrop"} {
			found, err := filepath.Glob(filepath.Join(p.dir, "queue", q, "*"))
			if err != nil {
				t.Fatal(err)
			}
			queued = append(queued, found...)
		}
		if open == 0 && len(queued) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("Postfix still has %d sessions open and %d messages queued", open, len(queued))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// mail is every message that the instance delivered, by file name.
func (p *postfix) mail(t *testing.T) []arrived {
	t.Helper()
	p.idle(t)
	return readMaildir(t, filepath.Join(p.dir, "mail/all/new"))
}

// inClear reads how many commands of which kind each session had.
func (p *postfix) inClear(t *testing.T) []string {
	t.Helper()
	var out []string
	for line := range strings.Lines(p.log(t)) {
		if strings.Contains(line, "disconnect from") && strings.Contains(line, " mail=") && !strings.Contains(line, " starttls=1") {
			out = append(out, line)
		}
	}
	return out
}
