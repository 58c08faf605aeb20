//go:build peers && linux

package bench

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	postfixMaster = "/usr/lib/postfix/sbin/master"
	// postfixPatience is how long it may take to come up, and to end.
	postfixPatience = 20 * time.Second
)

//go:embed testdata/main.cf
var postfixMain string

//go:embed testdata/master.cf
var postfixServices string

// postfixQueue is the line of master.cf for the queue manager. Without it mail is taken and stays.
const postfixQueue = "qmgr unix n - n 300 1 qmgr\n"

// postfix is a private instance: its own configuration, queue and port.
type postfix struct {
	dir    string
	listen int // the port at which it takes mail
	master *exec.Cmd
	ended  chan struct{}
}

// newPostfix makes the instance's directories and main.cf.
func newPostfix(t *trial) (*postfix, error) {
	p := &postfix{dir: filepath.Join(t.dir, "postfix")}
	owner, err := user.Lookup("postfix")
	if err != nil {
		return nil, fmt.Errorf("postfix is not installed: %w", err)
	}
	drop, err := user.LookupGroup("postdrop")
	if err != nil {
		return nil, err
	}
	postfixUser, postdrop := number(owner.Uid), number(drop.Gid)
	directory := func(name string, mode os.FileMode, uid, gid int) {
		d := filepath.Join(p.dir, name)
		err = errors.Join(err, os.MkdirAll(d, 0o755), os.Chown(d, uid, gid), os.Chmod(d, mode))
	}
	for _, d := range []string{"", "etc", "queue", "queue/pid"} {
		directory(d, 0o755, 0, 0)
	}
	for d := range strings.FieldsSeq("active bounce corrupt defer deferred flush hold incoming private saved trace") {
		directory("queue/"+d, 0o700, postfixUser, 0)
	}
	directory("queue/maildrop", 0o730, postfixUser, postdrop)
	directory("queue/public", 0o710, postfixUser, postdrop)
	directory("data", 0o700, postfixUser, number(owner.Gid))
	if err != nil {
		return nil, err
	}
	main := strings.NewReplacer("@DIR@", p.dir, "@PORT@", strconv.Itoa(t.host.Port), "@CONNECTIONS@", strconv.Itoa(t.connections))
	return p, os.WriteFile(filepath.Join(p.dir, "etc/main.cf"), []byte(main.Replace(postfixMain)), 0o644)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return -1 // chown leaves it as it is
	}
	return n
}

// start runs the instance with these services beside the usual ones, and returns when it is up.
func (p *postfix) start(services string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p.listen = l.Addr().(*net.TCPAddr).Port
	l.Close()
	etc, log := filepath.Join(p.dir, "etc"), filepath.Join(p.dir, "maillog")
	text := strings.ReplaceAll(postfixServices, "@LISTEN@", strconv.Itoa(p.listen)) + services
	if err := os.WriteFile(filepath.Join(etc, "master.cf"), []byte(text), 0o644); err != nil {
		return err
	}
	if err := os.RemoveAll(log); err != nil {
		return err
	}
	p.master = exec.Command(postfixMaster, "-c", etc, "-s")
	p.master.Env = append(os.Environ(), "MAIL_CONFIG="+etc)
	p.master.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := p.master.Start(); err != nil {
		return err
	}
	p.ended = make(chan struct{})
	go func(c *exec.Cmd, ended chan<- struct{}) {
		_ = c.Wait() // by a signal, as a rule
		close(ended)
	}(p.master, p.ended)
	for deadline := time.Now().Add(postfixPatience); ; time.Sleep(20 * time.Millisecond) {
		b, err := os.ReadFile(log)
		switch {
		case strings.Contains(string(b), "daemon started"):
			return nil
		case err != nil && !errors.Is(err, os.ErrNotExist):
			return errors.Join(err, p.stop())
		case time.Now().After(deadline):
			return errors.Join(fmt.Errorf("Postfix does not come up: %s", b), p.stop())
		}
	}
}

// stop ends the instance and returns when none of its processes is left.
func (p *postfix) stop() error {
	if err := p.master.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	for deadline := time.Now().Add(postfixPatience); len(group(p.master.Process.Pid)) > 0; time.Sleep(10 * time.Millisecond) {
		if err := syscall.Kill(-p.master.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("processes of Postfix are left")
		}
	}
	return nil
}

// empty waits until nothing is left to be delivered.
func (p *postfix) empty(ctx context.Context) error {
	for {
		left := 0
		for _, d := range []string{"maildrop", "incoming", "active"} {
			entries, err := os.ReadDir(filepath.Join(p.dir, "queue", d))
			if err != nil {
				return err
			}
			left += len(entries)
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// meter adds up what the instance uses, from its making on.
type meter struct {
	p      *postfix
	began  time.Time
	cpu    time.Duration // at the beginning
	memory int64
	stop   chan struct{}
	done   chan struct{}
}

func (p *postfix) measure() *meter {
	m := &meter{p: p, began: time.Now(), cpu: groupCPU(p.master.Process.Pid), stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(m.done)
		for {
			m.memory = max(m.memory, groupMemory(p.master.Process.Pid))
			select {
			case <-m.stop:
				return
			case <-time.After(time.Second):
			}
		}
	}()
	return m
}

func (m *meter) usage() usage {
	close(m.stop)
	<-m.done
	return usage{Wall: time.Since(m.began), CPU: groupCPU(m.p.master.Process.Pid) - m.cpu, Memory: m.memory, Syncs: -1}
}
