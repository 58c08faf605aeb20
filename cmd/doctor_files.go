package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sendctl/sendctl/pkg/mail"
)

// stateDirectory holds that the state directory is there or can be made, is this user's own
// and closed to others (F7), and takes writes.
func (p *patient) stateDirectory() finding {
	c := checkOf{"state directory", exitState}
	if p.stateErr != nil {
		return c.is(verdictFault, p.stateErr.Error(), hintOf(configError(p.stateErr)))
	}
	dir := mail.Clean(p.state)
	info, err := os.Lstat(p.state)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		parent := nearest(p.state)
		if err := mayCreateIn(parent); err != nil {
			return c.is(verdictFault, fmt.Sprintf("%s is not there and cannot be made: %s: %v", dir, mail.Clean(parent), err),
				fmt.Sprintf("install -d -m 700 -o %d %s, or name another directory with --state", p.uid, quoted(p.state)))
		}
		return c.ok("%s is not there yet and will be made (0700)", dir)
	case err != nil:
		return c.is(verdictFault, fmt.Sprintf("%s: %v", dir, barely(err)), "make it readable for this user, or name another with --state")
	case info.Mode()&fs.ModeSymlink != 0:
		return c.is(verdictFault, dir+" is a symbolic link", "name the directory that it points to with --state")
	case !info.IsDir():
		return c.is(verdictFault, dir+" is not a directory", "move it away, or name another with --state")
	}
	if f, bad := p.privacy(c, info); bad {
		return f
	}
	if err := tryWrite(p.state); err != nil {
		return c.is(verdictFault, fmt.Sprintf("%s cannot be written: %v", dir, err), "free space on its file system, mount it for writing, or name another with --state")
	}
	return c.ok("%s, mode %04o, can be written", dir, info.Mode().Perm())
}

// privacy finds who else can get at the state directory or at what lies in it: it may be health data.
func (p *patient) privacy(c checkOf, info fs.FileInfo) (finding, bool) {
	dir, mode := mail.Clean(p.state), info.Mode().Perm()
	if uid, known := ownerOf(info); known && uid != p.uid {
		return c.is(verdictFault, fmt.Sprintf("%s belongs to uid %d, and this is uid %d", dir, uid, p.uid),
			fmt.Sprintf("run as its owner, or: chown -R %d %s", p.uid, quoted(p.state))), true
	}
	entries, err := os.ReadDir(p.state)
	if err != nil {
		return c.is(verdictFault, fmt.Sprintf("%s: %v", dir, barely(err)), "chmod 700 "+quoted(p.state)), true
	}
	if hasModes && mode&0o077 != 0 {
		found, fix := fmt.Sprintf("%s is open to others (mode %04o)", dir, mode), "chmod 700 "+quoted(p.state)
		if len(entries) == 0 && mode&0o022 == 0 { // nothing was there to be seen, and it is closed on first use
			return c.is(verdictWarning, found, fix), true
		}
		return c.is(verdictFault, found, fix), true
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			continue // it went away: another sendctl is at work
		}
		if uid, known := ownerOf(info); known && uid != p.uid {
			return c.is(verdictFault, fmt.Sprintf("%s in %s belongs to uid %d, and this is uid %d", mail.Clean(e.Name()), dir, uid, p.uid),
				fmt.Sprintf("chown -R %d %s", p.uid, quoted(p.state))), true
		}
		if mode := info.Mode().Perm(); hasModes && mode&0o077 != 0 && info.Mode()&fs.ModeSymlink == 0 {
			return c.is(verdictFault, fmt.Sprintf("%s in %s is open to others (mode %04o)", mail.Clean(e.Name()), dir, mode),
				"chmod -R go= "+quoted(p.state)), true
		}
	}
	return finding{}, false
}

// tryWrite makes a file, syncs and removes it.
func tryWrite(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return barely(err)
	}
	_, err = f.WriteString("sendctl doctor\n")
	return barely(errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name())))
}

// nearest is the path itself, or the nearest directory above it that exists.
func nearest(path string) string {
	for {
		if _, err := os.Stat(path); err == nil || filepath.Dir(path) == path {
			return path
		}
		path = filepath.Dir(path)
	}
}

// volume is the file system that a directory is on.
type volume struct {
	name                string // its kind, as people call it; "" where it does not matter
	network             bool   // locks and shared memory cannot be relied on
	volatile            bool   // gone with the next boot
	readOnly            bool
	freeBytes, freeNode uint64
	nodes               uint64 // in all; 0 where the file system does not count them
}

// Room for the spool: below the first the next batch may not fit, below the second nothing can
// be relied on.
const (
	scarceBytes, noBytes = 1 << 30, 32 << 20
	scarceNodes, noNodes = 1000, 50
)

// stateVolume holds that the state directory has room (F4, F5) and is on a local disk (F7).
func (p *patient) stateVolume() finding {
	c := checkOf{"state volume", exitState}
	if p.stateErr != nil {
		return c.is(verdictUnknown, "there is no state directory to look at", "")
	}
	v, err := p.volume(nearest(p.state))
	if err != nil {
		return c.is(verdictUnknown, err.Error(), "see with: df -h "+quoted(p.state)+"; df -i "+quoted(p.state))
	}
	elsewhere := "name a directory on a local disk with --state"
	room := megabytes(v.freeBytes) + " free"
	if v.nodes > 0 {
		room += fmt.Sprintf(", %d inodes", v.freeNode)
	}
	if v.name != "" {
		room = v.name + ", " + room
	}
	more := "free some of it, or name a directory elsewhere with --state"
	switch {
	case v.network:
		return c.is(verdictFault, "on a network file system ("+v.name+"), where the database could lose mail", elsewhere)
	case v.readOnly:
		return c.is(verdictFault, "the file system is mounted read-only", "mount it for writing, or "+elsewhere)
	case v.freeBytes < noBytes, v.nodes > 0 && v.freeNode < noNodes:
		return c.is(verdictFault, room, more)
	case v.volatile:
		return c.is(verdictWarning, room+": what is queued is lost with the next boot", elsewhere)
	case v.freeBytes < scarceBytes, v.nodes > 0 && v.freeNode < scarceNodes:
		return c.is(verdictWarning, room, more)
	}
	return c.ok("%s", room)
}

// megabytes is a size for people.
func megabytes(n uint64) string {
	const mb = 1000 * 1000
	if n >= 10*1000*mb {
		return fmt.Sprintf("%d GB", n/(1000*mb))
	}
	return fmt.Sprintf("%d MB", n/mb)
}

// configDirectory holds that nobody but root and this user can change what is sent how.
func (p *patient) configDirectory() finding {
	c := checkOf{"configuration directory", exitConfig}
	if p.configErr != nil {
		return c.is(verdictFault, p.configErr.Error(), hintOf(configError(p.configErr)))
	}
	if p.config == "" {
		return c.ok("none: the shipped profiles alone")
	}
	for _, name := range []string{"", "profiles", "rules", "sendctl.toml"} {
		path := filepath.Join(p.config, name)
		info, err := os.Stat(path)
		if err != nil {
			continue // what cannot be read is an error of the configuration, which has a check of its own
		}
		switch mode := info.Mode().Perm(); {
		case hasModes && mode&0o002 != 0:
			return c.is(verdictFault, fmt.Sprintf("every user of this machine can change %s (mode %04o)", mail.Clean(path), mode), "chmod go-w "+quoted(path))
		case hasModes && mode&0o020 != 0:
			return c.is(verdictWarning, fmt.Sprintf("its group can change %s (mode %04o)", mail.Clean(path), mode), "chmod g-w "+quoted(path)+", unless that is meant")
		}
		if uid, known := ownerOf(info); known && uid != 0 && uid != p.uid {
			return c.is(verdictWarning, fmt.Sprintf("%s belongs to uid %d, who can change it; this is uid %d", mail.Clean(path), uid, p.uid),
				fmt.Sprintf("chown %d %s, unless that is meant", p.uid, quoted(path)))
		}
	}
	return c.ok("%s, others cannot change it", mail.Clean(p.config))
}

// configuration is validate in one line.
func (p *patient) configuration() finding {
	c := checkOf{"configuration", exitConfig}
	errs, warnings := p.problems.Errors, p.problems.Warnings
	all := "sendctl validate shows " + plural(len(errs)+len(warnings), "finding")
	switch {
	case p.configErr != nil:
		return c.is(verdictUnknown, "there is no configuration directory to look at", "")
	case len(errs) > 0:
		return c.is(verdictFault, plural(len(errs), "error")+", the first: "+errs[0].String(), all+"; nothing is sent before they are mended")
	case len(warnings) > 0:
		return c.is(verdictWarning, plural(len(warnings), "warning")+", the first: "+warnings[0].String(), all)
	}
	return c.ok("%s, %s, no errors", plural(len(p.cfg.Profiles), "profile"), plural(len(p.cfg.Rules), "rule"))
}

// barely is an error of package os without operation and path.
func barely(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// quoted is a path as it can be pasted into a shell.
func quoted(path string) string {
	path = mail.Clean(path)
	if path != "" && strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:,@") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
