package cmd

import (
	"go/token"
	"slices"
	"strings"
)

// checkFloors holds that imports go downwards only: never up, and never sideways on a floor.
func checkFloors(h *house) []breach {
	var out []breach
	for _, room := range h.names() {
		files := h.rooms[room]
		if _, known := houseFloors()[room]; !known && room != houseGarden && !isHelper(room) {
			out = append(out, h.breach(files[0].syntax.Package,
				"%s is an unknown room; decide its floor in houseFloors (cmd/house_test.go), or move the code into a room that exists", room))
			continue
		}
		for _, f := range files {
			for _, imp := range f.imports {
				if imp.name == "." {
					out = append(out, h.breach(imp.pos, "dot import of %q hides where names come from; import it by name", imp.path))
				}
				to, ours := strings.CutPrefix(imp.path, houseModule+"/")
				if !ours {
					continue
				}
				if why := mayImport(room, to, f.test); why != "" {
					out = append(out, h.breach(imp.pos, "%s imports %s: %s", room, to, why))
				}
			}
		}
	}
	return out
}

// mayImport returns why a room must not import another one of ours, "" where it may. Test files may also
// reach sideways on their floor and into the garden.
func mayImport(from, to string, test bool) string {
	floors := houseFloors()
	height, known := floors[to]
	switch {
	case from == to:
		return "" // a test in package x_test
	case to == houseGarden:
		if test || from == "cmd" {
			return ""
		}
		return "the garden is for cmd and for tests only; take what is needed as an argument"
	case isHelper(to):
		if isHelper(from) || from == houseGarden || (from != "cmd" && !strings.HasPrefix(from, "pkg/")) {
			return "helpers serve the rooms of pkg and cmd, and not each other; move what is shared to the ground"
		}
		return ""
	case !known:
		return "no such room; decide its floor in houseFloors (cmd/house_test.go)"
	case isHelper(from) || from == houseGarden:
		if height > 0 {
			return "helpers and the garden stand on the ground alone; hand the value over from above"
		}
		return ""
	case height < floors[from] || test && height == floors[from]:
		return ""
	case height == floors[from]:
		return "they stand on the same floor, and imports go downwards only; let the floor above connect them, or move what both need further down"
	}
	return "imports go downwards only; define an interface or a value here and let the upper floor supply it"
}

// checkRoof holds that main.go is a roof and nothing else.
func checkRoof(h *house) []breach {
	var out []breach
	for _, f := range h.rooms[houseRoof] {
		for _, imp := range f.imports {
			if imp.path != "os" && imp.path != houseModule+"/cmd" {
				out = append(out, h.breach(imp.pos, "the roof is os.Exit(cmd.Main()) and nothing else; move what needs %q into cmd", imp.path))
			}
		}
	}
	return out
}

// checkPurity holds that the rooms below the line (and the helpers that they use) depend on their arguments
// alone: what they decide today can be decided again tomorrow, from the ledger, with the same result.
func checkPurity(h *house) []breach {
	var out []breach
	for _, room := range pureRooms(h) {
		for _, f := range h.rooms[room] {
			if f.test {
				continue
			}
			for _, imp := range f.imports {
				if what := impureImport(imp.path); what != "" {
					out = append(out, h.breach(imp.pos, "%s is below the line and imports %q (%s); take the value as an argument from a room above", room, imp.path, what))
				}
			}
			f.mentions(func(path, name string, pos token.Pos) {
				if what := impureName(path, name); what != "" {
					out = append(out, h.breach(pos, "%s is below the line and uses %s.%s (%s); take the value as an argument from a room above", room, path, name, what))
				}
			})
		}
	}
	return out
}

// pureRooms are the rooms below the line, and the helpers that they import.
func pureRooms(h *house) []string {
	var rooms []string
	floors := houseFloors()
	for _, room := range h.names() {
		if height, known := floors[room]; !known || height > housePureFloor {
			continue
		}
		rooms = append(rooms, room)
		for _, f := range h.rooms[room] {
			for _, imp := range f.imports {
				to, ours := strings.CutPrefix(imp.path, houseModule+"/")
				if ours && isHelper(to) && !f.test {
					rooms = append(rooms, to)
				}
			}
		}
	}
	slices.Sort(rooms)
	return slices.Compact(rooms)
}

// impureImport says what a package brings in from outside, "" for nothing.
func impureImport(p string) string {
	switch p {
	case "net/netip", "net/mail", "net/url": // words and parsers, no sockets
		return ""
	}
	for _, bad := range []struct{ tree, what string }{
		{"os", "files, processes and the environment"},
		{"io/ioutil", "files"},
		{"net", "sockets"},
		{"golang.org/x/net/proxy", "sockets"},
		{"crypto/rand", "randomness"},
		{"math/rand", "randomness"},
		{"log", "a global logger"},
		{"syscall", "the operating system"},
		{"golang.org/x/sys", "the operating system"},
		{"database/sql", "a store"},
		{"zombiezen.com/go/sqlite", "a store"},
	} {
		if within(p, bad.tree) {
			return bad.what
		}
	}
	return ""
}

// impureName says what a function of an otherwise pure package brings in from outside, "" for nothing.
func impureName(path, name string) string {
	for _, bad := range []struct {
		path, what string
		names      []string
	}{
		{"time", "the clock", []string{"Now", "Since", "Until", "After", "Sleep", "NewTimer", "NewTicker", "Tick", "AfterFunc"}},
		{"context", "the clock", []string{"WithTimeout", "WithTimeoutCause", "WithDeadline", "WithDeadlineCause"}},
		{"crypto/x509", "the machine's roots", []string{"SystemCertPool"}},
		{"path/filepath", "files", []string{"Abs", "EvalSymlinks", "Glob", "Walk", "WalkDir"}},
	} {
		if path == bad.path && slices.Contains(bad.names, name) {
			return bad.what
		}
	}
	return ""
}

// within says whether p is the package tree or below it.
func within(p, tree string) bool { return p == tree || strings.HasPrefix(p, tree+"/") }

// checkExclusive holds that a dependency is known to one room only, so that replacing it touches one room.
func checkExclusive(h *house) []breach {
	const tomldoc = houseHelpers + "tomldoc"
	type owner struct {
		tree  string
		rooms string // may import it, separated by spaces
		tests bool   // every room's tests may, too
		why   string
	}
	owners := []owner{
		{"github.com/olekukonko/tablewriter", "cmd/internal/ui", false, "one room decides how tables look; return rows and let ui print them"},
		{"github.com/charmbracelet/lipgloss", "cmd/internal/ui", false, "one room decides about colour; return values and let ui style them"},
		{"modernc.org/sqlite", "pkg/spool", false, "the store is the spool's secret; ask the spool"},
		{"zombiezen.com/go/sqlite", "pkg/spool", false, "the store is the spool's secret; ask the spool"},
		{"github.com/spf13/cobra", "cmd", false, "flags and commands belong to the command line; pass options as values"},
		{"github.com/spf13/pflag", "cmd", false, "flags and commands belong to the command line; pass options as values"},
		{"github.com/miekg/dns", "pkg/route pkg/sandbox", true, "one room speaks DNS; ask route, whose answers carry the authentic-data bit"},
		{"github.com/BurntSushi/toml", "pkg/config " + tomldoc, true, "one room reads configuration, strictly and with positions; ask config"},
		{"github.com/pelletier/go-toml", "pkg/config " + tomldoc, true, "one room reads configuration, strictly and with positions; ask config"},
		{houseModule + "/" + tomldoc, "pkg/config", true, "it is config's own reader of documents; ask config"},
		{"testing", "", true, "the program carries no test code; move it into a _test.go file"},
		{"github.com/rogpeppe/go-internal", "", true, "it is for tests only; move the code into a _test.go file"},
		{"github.com/google/go-cmp", "", true, "it is for tests only (it may panic); move the code into a _test.go file"},
		{"go.uber.org/goleak", "", true, "it is for tests only; move the code into a _test.go file"},
		{"pgregory.net/rapid", "", true, "it is for tests only; move the code into a _test.go file"},
	}
	var out []breach
	for _, f := range h.files(true) {
		for _, imp := range f.imports {
			for _, o := range owners {
				if within(imp.path, o.tree) && !(f.test && o.tests) && !slices.Contains(strings.Fields(o.rooms), f.room) {
					out = append(out, h.breach(imp.pos, "%s imports %q: %s", f.room, imp.path, o.why))
				}
			}
		}
	}
	return out
}

// checkSurroundings holds that a room meets the process that it runs in only where it was agreed: the exit
// status on the roof, the environment in cmd and config, and loggers nowhere.
func checkSurroundings(h *house) []breach {
	var out []breach
	for _, f := range h.files(false) {
		inCmd := f.room == "cmd" || f.room == "pkg/config"
		for _, imp := range f.imports {
			if within(imp.path, "log") && within(f.room, "pkg") {
				out = append(out, h.breach(imp.pos, "rooms do not log (%q); return an error or a value, or report to the observer", imp.path))
			}
		}
		f.mentions(func(path, name string, pos token.Pos) {
			switch {
			case path == "os" && name == "Exit" && f.room != houseRoof,
				path == "log" && strings.HasPrefix(name, "Fatal"):
				out = append(out, h.breach(pos, "%s.%s outside main.go skips every deferred call; return an error", path, name))
			case path == "os" && isEnvironment(name) && !inCmd:
				out = append(out, h.breach(pos, "os.%s: the environment is read in cmd and pkg/config only; take the value as an argument", name))
			}
		})
	}
	return out
}

// isEnvironment says whether a function of package os reads or writes environment variables.
func isEnvironment(name string) bool {
	return slices.Contains([]string{"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Clearenv",
		"UserHomeDir", "UserConfigDir", "UserCacheDir"}, name)
}
