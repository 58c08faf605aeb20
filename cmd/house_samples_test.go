package cmd

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// houseSample is a small module, and where one rule has to find it wanting: "file:line", in order.
type houseSample struct {
	name  string
	files map[string]string
	want  []string
}

// one is a sample of a single file; src starts on line 1.
func one(name, file, src string, want ...string) houseSample {
	return houseSample{name, map[string]string{file: src}, want}
}

// imports is the source of a file that imports the paths, the first one on line 2.
func imports(pkg string, paths ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n", pkg)
	for _, p := range paths {
		fmt.Fprintf(&b, "import %q\n", p)
	}
	return b.String()
}

func TestHouseSamples(t *testing.T) {
	t.Parallel()
	samples := map[string][]houseSample{}
	for _, part := range []map[string][]houseSample{importSamples(), styleSamples(), variableSamples()} {
		for rule, s := range part {
			samples[rule] = append(samples[rule], s...)
		}
	}
	for _, rule := range houseRules() {
		good, bad := 0, 0
		for _, s := range samples[rule.name] {
			if len(s.want) == 0 {
				good++
			} else {
				bad++
			}
			t.Run(rule.name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				checkSample(t, rule, s)
			})
		}
		if good == 0 || bad == 0 {
			t.Errorf("rule %q has %d good and %d bad samples; it needs some of each", rule.name, good, bad)
		}
	}
}

func checkSample(t *testing.T, rule houseRule, s houseSample) {
	t.Helper()
	tree := fstest.MapFS{}
	for name, src := range s.files {
		tree[name] = &fstest.MapFile{Data: []byte(src)}
	}
	h := newHouse()
	if err := h.addTree(tree); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range rule.check(h) {
		got = append(got, fmt.Sprintf("%s:%d", b.at.Filename, b.at.Line))
		if !strings.Contains(b.text, ";") && !strings.Contains(b.text, "has to") {
			t.Errorf("message without advice: %v", b)
		}
	}
	if !slices.Equal(got, s.want) {
		t.Errorf("got breaches at %q, want %q\n%v", got, s.want, rule.check(h))
	}
}

func TestHouseTopLevelSamples(t *testing.T) {
	t.Parallel()
	plan := strings.Fields(`.ci .git .gitignore .golangci.yml CHANGELOG.md LICENSE README.md cmd docs examples go.mod go.sum main.go pkg profiles`)
	ignored := []string{"/sendctl", "/dist/", "*.test"}
	for _, tt := range []struct {
		name  string
		names []string
		want  []string // the names complained of, in order
	}{
		{"the plan", plan, nil},
		{"build results", append(slices.Clone(plan), "sendctl", "dist", "cmd.test"), nil},
		{"a stranger", append(slices.Clone(plan), "internal", "util.go"), []string{"internal", "util.go"}},
		{"a hole", slices.DeleteFunc(slices.Clone(plan), func(s string) bool { return s == "LICENSE" }), []string{"LICENSE"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, problem := range checkTop(tt.names, ignored) {
				name, _, _ := strings.Cut(problem, ":")
				got = append(got, name)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("complains of %q, want %q", got, tt.want)
			}
		})
	}
}

// TestHouseTreeSkips holds that folders which the go command ignores are no rooms.
func TestHouseTreeSkips(t *testing.T) {
	t.Parallel()
	h := newHouse()
	err := h.addTree(fstest.MapFS{
		"pkg/mail/a.go":             {Data: []byte("package mail\n")},
		"pkg/mail/testdata/b.go":    {Data: []byte("not Go at all")},
		".ci/c.go":                  {Data: []byte("not Go at all")},
		"_old/d.go":                 {Data: []byte("not Go at all")},
		"docs/e.md":                 {Data: []byte("not Go at all")},
		"pkg/internal/line/line.go": {Data: []byte("package line\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := h.names(), []string{"pkg/internal/line", "pkg/mail"}; !slices.Equal(got, want) {
		t.Errorf("rooms %q, want %q", got, want)
	}
}

func importSamples() map[string][]houseSample {
	const m = houseModule
	return map[string][]houseSample{
		"floors": {
			one("down", "pkg/policy/a.go", imports("policy", m+"/pkg/mail", "strings")),
			one("up", "pkg/mail/a.go", imports("mail", m+"/pkg/policy"), "pkg/mail/a.go:2"),
			one("sideways", "pkg/route/a.go", imports("route", m+"/pkg/smtp"), "pkg/route/a.go:2"),
			one("sideways on the ground", "pkg/mail/a.go", imports("mail", m+"/pkg/tlsnames"), "pkg/mail/a.go:2"),
			one("sideways in a test", "pkg/route/a_test.go", imports("route", m+"/pkg/smtp", m+"/pkg/sandbox")),
			one("up in a test", "pkg/route/a_test.go", imports("route", m+"/pkg/courier"), "pkg/route/a_test.go:2"),
			one("itself in a test", "pkg/route/a_test.go", imports("route_test", m+"/pkg/route")),
			one("unknown room", "pkg/util/a.go", imports("util"), "pkg/util/a.go:1"),
			one("import of an unknown room", "pkg/route/a.go", imports("route", m+"/pkg/util"), "pkg/route/a.go:2"),
			one("the roof from below", "cmd/a.go", imports("cmd", m+"/cmd/internal/ui", m+"/pkg/send")),
			one("ui", "cmd/internal/ui/a.go", imports("ui", m+"/cmd"), "cmd/internal/ui/a.go:2"),
			one("garden on the ground", "pkg/sandbox/a.go", imports("sandbox", m+"/pkg/mail", m+"/pkg/policy"), "pkg/sandbox/a.go:3"),
			one("garden and cmd", "cmd/a.go", imports("cmd", m+"/pkg/sandbox")),
			one("garden and a room", "pkg/send/a.go", imports("send", m+"/pkg/sandbox"), "pkg/send/a.go:2"),
			one("helper", "pkg/spool/a.go", imports("spool", m+"/pkg/internal/atomic")),
			one("helper on the ground", "pkg/internal/atomic/a.go", imports("atomic", m+"/pkg/mail", m+"/pkg/smtp"), "pkg/internal/atomic/a.go:3"),
			one("helper of a helper", "pkg/internal/a/a.go", imports("a", m+"/pkg/internal/b"), "pkg/internal/a/a.go:2"),
			one("helper from outside", "profiles/a.go", imports("profiles", m+"/pkg/internal/b"), "profiles/a.go:2"),
			one("dot import", "pkg/mail/a.go", "package mail\nimport . \"strings\"\n", "pkg/mail/a.go:2"),
		},
		"roof": {
			one("a roof", "main.go", imports("main", "os", m+"/cmd")),
			one("a roof with a balcony", "main.go", imports("main", "os", "fmt", m+"/pkg/send"), "main.go:3", "main.go:4"),
		},
		"purity": {
			one("pure", "pkg/policy/a.go", imports("policy", "net/netip", "net/mail", "crypto/tls", "time")+"var _ = time.Unix\n"),
			one("imports", "pkg/tlsrpt/a.go", imports("tlsrpt", "os", "os/exec", "net", "net/http", "crypto/rand", "math/rand/v2", "log/slog", "syscall", "golang.org/x/sys/unix"),
				"pkg/tlsrpt/a.go:2", "pkg/tlsrpt/a.go:3", "pkg/tlsrpt/a.go:4", "pkg/tlsrpt/a.go:5", "pkg/tlsrpt/a.go:6",
				"pkg/tlsrpt/a.go:7", "pkg/tlsrpt/a.go:8", "pkg/tlsrpt/a.go:9", "pkg/tlsrpt/a.go:10"),
			one("clock called", "pkg/dsn/a.go", imports("dsn", "time")+"func f() { _ = time.Now() }\n", "pkg/dsn/a.go:3"),
			one("clock as a value", "pkg/dsn/a.go", imports("dsn", "time")+"func f() { g(time.Since) }\n", "pkg/dsn/a.go:3"),
			one("clock under another name", "pkg/dsn/a.go", "package dsn\nimport clock \"time\"\nfunc f() { clock.Sleep(1) }\n", "pkg/dsn/a.go:3"),
			one("a variable called time", "pkg/dsn/a.go", imports("dsn", "time")+"func f(time clock) { _ = time.Now() }\n"),
			one("in a test", "pkg/dsn/a_test.go", imports("dsn", "os", "time")+"func f() { _ = time.Now() }\n"),
			one("above the line", "pkg/spool/a.go", imports("spool", "os", "time")+"func f() { _ = time.Now() }\n"),
			one("roots of the machine", "pkg/tlsauth/a.go", imports("tlsauth", "crypto/x509")+"func f() { x509.SystemCertPool() }\n", "pkg/tlsauth/a.go:3"),
			{"through a helper", map[string]string{
				"pkg/mail/a.go":          imports("mail", m+"/pkg/internal/file"),
				"pkg/internal/file/a.go": imports("file", "os"),
			}, []string{"pkg/internal/file/a.go:2"}},
			{"a helper of the upper floors", map[string]string{
				"pkg/spool/a.go":         imports("spool", m+"/pkg/internal/file"),
				"pkg/internal/file/a.go": imports("file", "os"),
			}, nil},
		},
		"exclusive imports": {
			one("ui", "cmd/internal/ui/a.go", imports("ui", "github.com/olekukonko/tablewriter/tw", "github.com/charmbracelet/lipgloss")),
			one("not ui", "cmd/a.go", imports("cmd", "github.com/olekukonko/tablewriter", "github.com/charmbracelet/lipgloss", "github.com/spf13/cobra"),
				"cmd/a.go:2", "cmd/a.go:3"),
			one("store", "pkg/ledger/a_test.go", imports("ledger", "modernc.org/sqlite"), "pkg/ledger/a_test.go:2"),
			one("flags", "pkg/send/a.go", imports("send", "github.com/spf13/pflag"), "pkg/send/a.go:2"),
			one("dns", "pkg/probe/a.go", imports("probe", "github.com/miekg/dns"), "pkg/probe/a.go:2"),
			one("dns in a test", "pkg/probe/a_test.go", imports("probe", "github.com/miekg/dns")),
			one("toml", "cmd/a.go", imports("cmd", "github.com/BurntSushi/toml", "github.com/pelletier/go-toml/v2/unstable"), "cmd/a.go:2", "cmd/a.go:3"),
			one("toml in config", "pkg/config/a.go", imports("config", "github.com/BurntSushi/toml", m+"/pkg/internal/tomldoc")),
			one("toml in config's helper", "pkg/internal/tomldoc/a.go", imports("tomldoc", "github.com/pelletier/go-toml/v2/unstable")),
			one("config's helper elsewhere", "cmd/a.go", imports("cmd", m+"/pkg/internal/tomldoc"), "cmd/a.go:2"),
			one("test code", "pkg/mail/a.go", imports("mail", "testing", "github.com/google/go-cmp/cmp"), "pkg/mail/a.go:2", "pkg/mail/a.go:3"),
			one("a longer name", "pkg/mail/a.go", imports("mail", "testingx")),
		},
		"surroundings": {
			one("exit on the roof", "main.go", imports("main", "os")+"func main() { os.Exit(1) }\n"),
			one("exit elsewhere", "cmd/a.go", imports("cmd", "os")+"func f() { os.Exit(1) }\n", "cmd/a.go:3"),
			one("exit of tests", "cmd/a_test.go", imports("cmd", "os")+"func f() { os.Exit(1) }\n"),
			one("fatal", "cmd/a.go", imports("cmd", "log")+"func f() { log.Fatalf(``) }\n", "cmd/a.go:3"),
			one("environment", "pkg/config/a.go", imports("config", "os")+"var _ = os.Getenv(``)\n"),
			one("environment elsewhere", "pkg/smtp/a.go", imports("smtp", "os")+"var _, _ = os.LookupEnv, os.ReadFile\n", "pkg/smtp/a.go:3"),
			one("logger", "pkg/smtp/a.go", imports("smtp", "log/slog", "log"), "pkg/smtp/a.go:2", "pkg/smtp/a.go:3"),
			one("a logger in a test", "pkg/smtp/a_test.go", imports("smtp", "log/slog")),
		},
	}
}
