package config

import (
	"strings"
	"testing"
)

// One fault each: where it is told and what is said. C1, C2, C3, C15.
func TestProfileErrors(t *testing.T) {
	t.Parallel()
	const protocolForms = "[accepted: TLSv1.0, TLSv1.1, TLSv1.2 or TLSv1.3, consecutive, as in protocols = "
	for _, tt := range []struct{ name, in, at, message string }{
		{"syntax", "name = \n", "1:8", "unexpected character end of line at start of value"},
		{"no name", "[tls]\nmode='forced'\nprotocols=['TLSv1.2']", "1:1", `name is missing [write name = "x"]`},
		{"other name", profileTOML("y"), "1:8", `name: "y" is not the file's name, x.toml [write name = "x", or rename the file to y.toml]`},
		{"name with a path", profileTOML("../x"), "1:8", `"../x" is not a name [accepted: up to 64 of a-z`},
		{"name with NUL", "name = \"a\\u0000\"\n[tls]\nmode='forced'\nprotocols=['TLSv1.2']", "1:8", `control characters are not allowed: "a\x00"`},
		{"name null profile", profileTOML("-"), "1:8", `"-" is not a name`},
		{"empty name", profileTOML(""), "1:8", `"" is not a name`},
		{"name upper case", profileTOML("X"), "1:8", `"X" is not a name`},
		{"name not NFC", profileTOML("é"), "1:8", `is not a name`},
		{"name homograph", profileTOML("hip\u0430a"), "1:8", `is not a name`},
		{"name 10 KB", profileTOML(strings.Repeat("x", 10_000)), "1:8", `…" is not a name`},
		{"name ESC", "name = \"\\u001b[2J\"\n[tls]\nmode='forced'\nprotocols=['TLSv1.2']", "1:8", `control characters`},
		{"name a number", "name = 1\n[tls]\nmode='forced'\nprotocols=['TLSv1.2']", "1:8", `name: text is wanted, this is an integer [write name = "…"]`},
		{"unknown key", profileTOML("x", `vesions = []`), "5:1", "unknown key tls.vesions [known here: mode, protocols"},
		{"near key", profileTOML("x", `protocol = []`), "5:1", "unknown key tls.protocol [did you mean protocols?]"},
		{"key in another case", profileTOML("x") + "[TLS]\nmode = 'opportunistic'\n", "5:2", "unknown key TLS [keys are written in lower case: tls]"},
		{"key of tls in another case", profileTOML("x", `Mode = "opportunistic"`), "5:1", "unknown key tls.Mode [keys are written in lower case: mode]"},
		{"duplicate key", profileTOML("x", `mode = "forced"`) + "mode = 'opportunistic'", "5:1", "already been defined"},
		{"key with ESC", "\"\\u001b[2J\" = 1\n" + profileTOML("x"), "1:1", `unknown key "\x1b[2J"`},
		{"tls not a table", "name = 'x'\ntls = 'forced'\n", "2:7", "tls: a table is wanted, this is text"},
		{"no mode", "name = 'x'\n[tls]\nprotocols = ['TLSv1.2']\n", "2:2", `tls.mode is missing [write mode = "forced" or`},
		{"bad mode", profileTOML("x", `mode = "force"`), "4:8", `tls.mode: "force" is not known here [accepted: forced or opportunistic]`},
		{"mode a boolean", profileTOML("x", `mode = true`), "4:8", `text is wanted, this is a boolean`},
		{"no protocols", "name = 'x'\n[tls]\nmode = 'forced'\n", "2:2", `tls.protocols is missing`},
		{"protocols empty", profileTOML("x", `protocols = []`), "4:13", "tls.protocols: at least one version is wanted " + protocolForms},
		{"protocols with a gap", profileTOML("x", `protocols = ["TLSv1.0", "TLSv1.2"]`), "4:13", "there is a gap: TLSv1.1 missing between TLSv1.0 and TLSv1.2 " + protocolForms},
		{"protocols with a wide gap", profileTOML("x", `protocols = ["TLSv1.3", "TLSv1.0"]`), "4:13", "TLSv1.1, TLSv1.2 missing between"},
		{"protocol twice", profileTOML("x", `protocols = ["TLSv1.2", "TLSv1.2"]`), "4:25", "TLSv1.2 is there twice " + protocolForms},
		{"protocol 1.4", profileTOML("x", `protocols = ["TLSv1.3", "TLSv1.4"]`), "4:25", `"TLSv1.4" is not a protocol version ` + protocolForms},
		{"protocol 1.2", profileTOML("x", `protocols = ["1.2"]`), "4:14", `"1.2" is not a protocol version`},
		{"protocol with underscore", profileTOML("x", `protocols = ["TLSv1_2"]`), "4:14", `"TLSv1_2" is not a protocol version`},
		{"protocol in lower case", profileTOML("x", `protocols = ["tlsv1.2"]`), "4:14", `"tlsv1.2" is not a protocol version`},
		{"protocol a number", profileTOML("x", `protocols = [1.2]`), "4:14", `text is wanted, this is a number with a fraction`},
		{"protocols text", profileTOML("x", `protocols = "TLSv1.2"`), "4:13", `an array of texts is wanted, this is text [write protocols = ["TLSv1.2", "TLSv1.3"]]`},
		{"bad certificate", profileTOML("x", `certificate = "any"`), "5:15", `[accepted: none, default or custom]`},
		{"custom without ca_file", profileTOML("x", `certificate = "custom"`), "5:15", `custom needs tls.ca_file`},
		{"ca_file without custom", profileTOML("x", `ca_file = "ca.pem"`), "5:1", `tls.ca_file is used with certificate = "custom" only`},
		{"ca_file empty", profileTOML("x", `certificate = "custom"`, `ca_file = ""`), "6:11", `the name is empty`},
		{"ciphers empty", profileTOML("x", `ciphers = []`), "5:11", `the list is empty [leave the key out`},
		{"cipher unknown", profileTOML("x", `ciphers = ["ECDHE-RSA-AES256-GCM-SHA385"]`), "5:12", `is not a cipher suite [did you mean ECDHE-RSA-AES256-GCM-SHA384?]`},
		{"cipher nonsense", profileTOML("x", `ciphers = ["foo"]`), "5:12", `"foo" is not a cipher suite [accepted: IANA or OpenSSL names`},
		{"cipher in lower case", profileTOML("x", `ciphers = ["ecdhe-rsa-aes256-gcm-sha384"]`), "5:12", `[did you mean ECDHE-RSA-AES256-GCM-SHA384?]`},
		{"cipher DHE", profileTOML("x", `ciphers = ["DHE-RSA-AES256-GCM-SHA384"]`), "5:12", `DHE-RSA-AES256-GCM-SHA384 cannot be used: Go's TLS has no finite-field Diffie-Hellman [did you mean ECDHE-RSA-AES256-GCM-SHA384?]`},
		{"cipher IANA DHE", profileTOML("x", `ciphers = ["TLS_DHE_RSA_WITH_AES_128_CBC_SHA"]`), "5:12", `no finite-field Diffie-Hellman`},
		{"cipher CBC SHA384", profileTOML("x", `ciphers = ["ECDHE-RSA-AES256-SHA384"]`), "5:12", `cannot be used: Go's TLS does not have it`},
		{"cipher CCM of 1.3", profileTOML("x", `ciphers = ["TLS_AES_128_CCM_SHA256"]`), "5:12", `cannot be used`},
		{"cipher NULL", profileTOML("x", `ciphers = ["NULL-SHA"]`), "5:12", `it does not encrypt`},
		{"cipher anonymous", profileTOML("x", `ciphers = ["ADH-AES128-SHA"]`), "5:12", `it has no certificate`},
		{"cipher export", profileTOML("x", `ciphers = ["EXP-RC4-MD5"]`), "5:12", `cannot be used`},
		{"cipher PSK", profileTOML("x", `ciphers = ["PSK-AES128-GCM-SHA256"]`), "5:12", `shared beforehand`},
		{"cipher string", profileTOML("x", `ciphers = ["HIGH:!aNULL"]`), "5:12", `is an OpenSSL cipher string [name the suites one by one`},
		{"failure under opportunistic", profileTOML("x", `mode = "opportunistic"`, `protocols = ["TLSv1.0","TLSv1.1","TLSv1.2","TLSv1.3"]`, `on_tls_failure = "defer"`), "5:1", `tls.on_tls_failure: an opportunistic profile never fails for want of TLS`},
		{"bad failure", profileTOML("x", `on_tls_failure = "retry"`), "5:18", `[accepted: bounce or defer]`},
		{"client certificate alone", profileTOML("x", `client_certificate = "c.pem"`), "5:1", `tls.client_certificate needs tls.client_key`},
		{"client key alone", profileTOML("x", `client_key = "c.key"`), "5:1", `tls.client_key needs tls.client_certificate`},
		{"pool unknown", "pool = 'medcal'\n" + profileTOML("x"), "1:8", `pool: there is no pool medcal [did you mean medical?]`},
		{"pool not a name", "pool = 'a b'\n" + profileTOML("x"), "1:8", `pool: "a b" is not a name`},
		{"created a date", "created = 2026-01-31\n" + profileTOML("x"), "1:11", `a date with time is wanted, this is a date alone`},
		{"created a text", "created = '2026'\n" + profileTOML("x"), "1:11", `a date with time is wanted, this is text`},
		{"description with ESC", "description = \"\\u001b]0;x\"\n" + profileTOML("x"), "1:15", `control characters`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := files{"profiles/x.toml": tt.in, "sendctl.toml": quiet + "[pools.medical]\n"}.write(t)
			c, problems := Load(dir)
			wantAll(t, told(dir, problems.Errors), "profiles/x.toml:"+tt.at+": ")
			if got := strings.Join(told(dir, problems.Errors), ""); !strings.Contains(got, tt.message) {
				t.Errorf("got  %s\nwant %s", got, tt.message)
			}
			if tt.name != "pool unknown" {
				if _, ok := c.Profile("x"); ok {
					t.Error("the profile can be used")
				}
			}
		})
	}
}

// All faults of all files are told at once, sorted by file and place.
func TestAllErrorsAtOnce(t *testing.T) {
	t.Parallel()
	dir := files{
		"profiles/b.toml": "name = 'c'\ncolour = 1\n[tls]\nmode = 'f'\nprotocols = ['TLSv1.2', 'TLSv9']\nciphers = ['x', 'y']\n",
		"profiles/a.toml": "name = ",
		"rules/r.toml":    "name = 'r'\n",
		"sendctl.toml":    "require_profile = 1\n[delivery]\nport = 0\n",
	}.write(t)
	_, problems := Load(dir)
	wantAll(t, told(dir, problems.Errors),
		"profiles/a.toml:1:7: ", "profiles/b.toml:1:8: name", "profiles/b.toml:2:1: unknown key colour",
		"profiles/b.toml:4:8: tls.mode", "profiles/b.toml:5:25: tls.protocols", "profiles/b.toml:6:12: tls.ciphers", "profiles/b.toml:6:17: tls.ciphers",
		"rules/r.toml:1:1: the rule has no action", "rules/r.toml:1:1: the rule has no criterion",
		"sendctl.toml:1:19: require_profile", "sendctl.toml:3:8: delivery.port")
}

func TestProfileWarnings(t *testing.T) {
	t.Parallel()
	const all = `protocols = ["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"]`
	for _, tt := range []struct {
		name string
		tls  []string
		want []string
	}{
		{"nothing to say", nil, nil},
		{"opportunistic with a floor", []string{`mode = "opportunistic"`}, []string{`5:`, "versions older than TLSv1.2 gets the mail in clear"}},
		{"opportunistic", []string{`mode = "opportunistic"`, all}, nil},
		{"no TLS 1.3 suite", []string{`ciphers = ["ECDHE-RSA-AES256-GCM-SHA384"]`}, []string{"5:11", "under TLSv1.3 all of them are allowed"}},
		{"part of the TLS 1.3 suites", []string{`ciphers = ["ECDHE-RSA-AES256-GCM-SHA384", "TLS_AES_256_GCM_SHA384"]`}, []string{"5:11", "Go cannot choose"}},
		{"only TLS 1.3 suites", []string{`ciphers = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]`}, []string{"5:11", "the default suites are allowed"}},
		{"TLS 1.3 suites without TLS 1.3", []string{`protocols = ["TLSv1.2"]`, `ciphers = ["ECDHE-RSA-AES256-GCM-SHA384", "TLS_AES_256_GCM_SHA384"]`}, []string{"5:11", "protocols does not allow it"}},
		{"old suites with TLS 1.3 only", []string{`protocols = ["TLSv1.3"]`, `ciphers = ["ECDHE-RSA-AES256-GCM-SHA384", "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]`}, []string{"5:11", "protocols allows TLSv1.3 only"}},
		{"only insecure", []string{`protocols = ["TLSv1.2"]`, `ciphers = ["AES128-SHA", "DES-CBC3-SHA"]`}, []string{"5:11", "insecure"}},
		{"nothing for old versions", []string{`protocols = ["TLSv1.0", "TLSv1.1", "TLSv1.2"]`, `ciphers = ["ECDHE-RSA-AES256-GCM-SHA384"]`}, []string{"5:11", "no suite of the list works with versions below TLSv1.2"}},
		{"twice", []string{`protocols = ["TLSv1.2"]`, `ciphers = ["ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]`}, []string{"5:42", "is there twice"}},
		{"opportunistic with a list", []string{`mode = "opportunistic"`, `protocols = ["TLSv1.0", "TLSv1.1", "TLSv1.2"]`, `ciphers = ["ECDHE-RSA-AES256-SHA"]`}, []string{"5:11", "a server that has none of these suites gets the mail in clear"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := files{"profiles/x.toml": profileTOML("x", tt.tls...)}.write(t)
			_, problems := Load(dir)
			wantAll(t, told(dir, problems.Errors))
			got := told(dir, problems.Warnings)
			if tt.want == nil {
				wantAll(t, got)
				return
			}
			if len(got) != 1 || !strings.Contains(got[0], tt.want[1]) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// C2: a shipped name is taken, and the files decide, not what they say of themselves.
func TestProfileNames(t *testing.T) {
	t.Parallel()
	dir := files{
		"profiles/hipaa.toml": profileTOML("hipaa"), "profiles/Big.toml": profileTOML("big"), "profiles/a.toml": profileTOML("b"),
		"profiles/b.toml": profileTOML("b"), "profiles/c.TOML": profileTOML("c"), "profiles/-.toml": profileTOML("-"),
	}.write(t)
	c, problems := Load(dir)
	wantAll(t, told(dir, problems.Errors),
		`profiles/-.toml: "-" is not a name`, `profiles/Big.toml: "Big" is not a name`, `profiles/a.toml:1:8: name: "b" is not the file's name`,
		`profiles/c.TOML: only files that end in .toml are read`, `profiles/hipaa.toml: hipaa is the name of a shipped profile`)
	if p, _ := c.Profile("hipaa"); p.Type != TypeDefault || p.Ciphers == nil {
		t.Errorf("hipaa is %+v", p)
	}
}
