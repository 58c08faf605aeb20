package config

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/profiles"
)

// maxFile bounds what is read of one TOML file; a larger one is an error.
const maxFile = 1 << 20

// loader is one reading of the configuration: a snapshot.
type loader struct {
	dir      string
	now      time.Time
	config   *Config
	problems Problems
	// instead holds, by path, what is read in place of files: an edit before it is written;
	// a nil slice stands for a file that is taken away. Where the map is not nil the directory
	// itself need not exist yet.
	instead map[string][]byte

	// The files that were read, for what is checked when all are.
	profileDocs, ruleDocs []table
	settingsThere         bool // sendctl.toml exists
}

// Load reads everything under dir, or only the shipped profiles where dir is "". It always
// gives a configuration; where there are errors it is incomplete and must not be sent with.
// Files that a profile names are read too; the network is untouched.
func Load(dir string) (*Config, Problems) {
	return load(dir, nil)
}

func load(dir string, instead map[string][]byte) (*Config, Problems) {
	l := &loader{dir: dir, now: time.Now(), instead: instead, config: &Config{Dir: dir, broken: map[string]bool{}}}
	l.shipped()
	l.config.Settings = DefaultSettings()
	var top table
	if dir != "" {
		l.directory()
		top = l.sendctlTOML()
		l.customProfiles()
	}
	slices.SortFunc(l.config.Profiles, func(a, b Profile) int { return strings.Compare(a.Name, b.Name) })
	if dir != "" {
		l.allRules()
	}
	l.connect(top)
	l.problems.sort()
	return l.config, l.problems
}

func (l *loader) report(file string) report { return report{file, &l.problems} }

// shipped reads the embedded profiles. A test holds that they have no faults.
func (l *loader) shipped() {
	entries, err := profiles.FS.ReadDir(".")
	if err != nil {
		l.report("").errorf("", "reading the shipped profiles: %v", err)
	}
	for _, e := range entries {
		data, err := profiles.FS.ReadFile(e.Name())
		if err != nil {
			l.report(e.Name()).errorf("", "reading a shipped profile: %v", err)
			continue
		}
		p := l.profile(l.report(e.Name()), data)
		p.Type, p.File = TypeDefault, ""
		l.config.Profiles = append(l.config.Profiles, p)
	}
}

// directory checks the directories themselves.
func (l *loader) directory() {
	if _, err := isDir(l.dir); err != nil {
		if l.instead != nil && missing(err) {
			return
		}
		text, hint := why(err)
		l.report(l.dir).errorf(hint, "the configuration directory cannot be read: %s", text)
		return
	}
	for _, dir := range []string{l.dir, filepath.Join(l.dir, "profiles"), filepath.Join(l.dir, "rules")} {
		l.warnWritable(dir)
	}
}

// warnWritable warns of what everybody on this machine can change (C9).
func (l *loader) warnWritable(path string) {
	info, err := os.Stat(path)
	if err == nil && hasModes && info.Mode().Perm()&0o002 != 0 {
		l.report(path).warnf("chmod o-w "+shellQuote(path), "every user of this machine can change it (mode %04o)", info.Mode().Perm())
	}
}

// read reads a file of the configuration; false where it cannot, which is reported.
func (l *loader) read(path string) (content, bool) {
	if data, ok := l.instead[path]; ok {
		info, err := os.Stat(path)
		if err != nil {
			info = nil
		}
		return content{data, info}, data != nil
	}
	c, err := readFile(path, maxFile)
	if err != nil {
		text, hint := why(err)
		l.report(path).errorf(hint, "%s", text)
		return content{}, false
	}
	l.warnWritable(path)
	return c, true
}

// sendctlTOML reads the settings, which may be absent.
func (l *loader) sendctlTOML() table {
	path := filepath.Join(l.dir, "sendctl.toml")
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) && l.instead[path] == nil {
		return table{}
	}
	l.settingsThere = true
	c, ok := l.read(path)
	if !ok {
		return table{}
	}
	var top table
	l.config.Settings, top = l.settings(l.report(path), c.data)
	return top
}

// files lists the TOML files of a subdirectory, which may be absent. Hidden files, such as
// editors leave, are none of ours.
func (l *loader) files(sub string) []string {
	dir := filepath.Join(l.dir, sub)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		text, hint := why(bare(err))
		l.report(dir).errorf(hint, "%s", text)
	}
	var out []string
	for _, e := range entries {
		name := e.Name()
		switch ext := filepath.Ext(name); {
		case strings.HasPrefix(name, "."):
		case ext == ".toml":
			out = append(out, filepath.Join(dir, name))
		case strings.EqualFold(ext, ".toml"):
			l.report(filepath.Join(dir, name)).errorf("rename it to end in .toml", "only files that end in .toml are read, and this one looks meant")
		}
	}
	for path := range l.instead {
		if filepath.Dir(path) == dir && !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	out = slices.DeleteFunc(out, func(path string) bool {
		data, edited := l.instead[path]
		return edited && data == nil
	})
	slices.Sort(out)
	return slices.DeleteFunc(out, func(path string) bool { return !l.checkFileName(path) })
}

func (l *loader) checkFileName(path string) bool {
	stem := strings.TrimSuffix(filepath.Base(path), ".toml")
	if !ValidName(stem) {
		l.report(path).errorf("the file's name is the name and .toml; "+nameForm, "%q is not a name", shorten(stem))
		return false
	}
	return true
}

// customProfiles reads profiles/*.toml beside the shipped ones.
func (l *loader) customProfiles() {
	for _, path := range l.files("profiles") {
		stem := strings.TrimSuffix(filepath.Base(path), ".toml")
		if p, ok := l.config.Profile(stem); ok && p.Type == TypeDefault {
			l.report(path).errorf("rename the profile, and the file with it", "%s is the name of a shipped profile", stem)
			continue
		}
		errorsBefore := len(l.problems.Errors)
		c, ok := l.read(path)
		if ok {
			p := l.profile(l.report(path), c.data)
			p.Name = stem
			if c.info != nil {
				p.Updated = c.info.ModTime()
			}
			l.config.Profiles = append(l.config.Profiles, p)
		}
		if len(l.problems.Errors) > errorsBefore {
			l.config.broken[stem] = true
			l.config.Profiles = slices.DeleteFunc(l.config.Profiles, func(p Profile) bool { return p.Name == stem })
		}
	}
}

// allRules reads rules/*.toml.
func (l *loader) allRules() {
	for _, path := range l.files("rules") {
		c, ok := l.read(path)
		if !ok {
			continue
		}
		errorsBefore := len(l.problems.Errors)
		rule, doc := l.rule(l.report(path), c.data)
		if c.info != nil {
			rule.Updated = c.info.ModTime()
		}
		if doc.doc != nil && l.resolve(&rule, doc) && len(l.problems.Errors) == errorsBefore {
			l.config.Rules = append(l.config.Rules, rule)
			l.ruleDocs = append(l.ruleDocs, doc)
		}
	}
}

// connect checks what one file says about another, when all are read.
func (l *loader) connect(top table) {
	l.checkPools()
	l.checkNullProfile(top)
	l.warnRules()
}

// checkPools reports profiles that name a pool which is not defined.
func (l *loader) checkPools() {
	pools := slices.Sorted(maps.Keys(l.config.Settings.Pools))
	for _, t := range l.profileDocs {
		pool, _ := t.m["pool"].(string)
		if _, ok := l.config.Settings.Pools[pool]; ok || !ValidName(pool) {
			continue
		}
		hint := didYouMean(pool, pools)
		if hint == "" {
			hint = "define it in sendctl.toml, with sources under [pools." + pool + "]; known: " + strings.Join(pools, ", ")
		}
		t.valuef(hint, t.at("pool"), "there is no pool %s", pool)
		t.elsewhere()
	}
}

func (l *loader) checkNullProfile(top table) {
	s := l.config.Settings
	file := filepath.Join(l.dir, "sendctl.toml")
	if l.dir == "" {
		file = ""
	}
	switch {
	case s.NullProfile == "" && !s.RequireProfile && !top.has("null_profile"):
		r := l.report(file)
		const message = "null_profile is not set: mail sent without a profile goes out unencrypted"
		const hint = `write null_profile = "newsletter" in sendctl.toml, or require_profile = true`
		switch {
		case top.doc != nil:
			r.warnAt(top.doc.Key(), hint, message)
		case !l.settingsThere:
			r.warnf(hint, message)
		}
	case s.NullProfile != "":
		if _, ok := l.config.Profile(s.NullProfile); !ok && !l.config.broken[s.NullProfile] {
			top.valuef(l.knownProfiles(s.NullProfile), top.at("null_profile"), "there is no profile %s", s.NullProfile)
		}
	}
}

// knownProfiles is the hint where a profile is not known.
func (l *loader) knownProfiles(name string) string {
	return known("profiles", name, l.config.ProfileNames())
}

// known is the hint where a name is not: the nearest, or all that there are.
func known(what, name string, names []string) string {
	if hint := didYouMean(name, names); hint != "" {
		return hint
	}
	if len(names) == 0 {
		return "there are no " + what
	}
	return "known " + what + ": " + strings.Join(names, ", ")
}

// quoted shows a name as it is where it is one, else with what is odd escaped.
func quoted(name string) string {
	if ValidName(name) {
		return name
	}
	return mail.Clean(strconv.Quote(shorten(name)))
}
