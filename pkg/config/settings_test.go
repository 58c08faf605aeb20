package config

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSettingsDefaults(t *testing.T) {
	t.Parallel()
	for _, f := range []files{{"sendctl.toml": ""}, {"sendctl.toml": "# nothing\n[delivery]\n[timeouts]\n"}} {
		dir := f.write(t)
		c, problems := Load(dir)
		wantAll(t, told(dir, problems.Errors))
		wantAll(t, told(dir, problems.Warnings), "sendctl.toml:1:1: null_profile is not set: mail sent without a profile goes out unencrypted")
		want := DefaultSettings()
		want.File = filepath.Join(dir, "sendctl.toml")
		if diff := cmp.Diff(want, c.Settings, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Error(diff)
		}
	}
}

// SPEC §2's example, every key of it.
func TestSettingsComplete(t *testing.T) {
	t.Parallel()
	dir := files{"sendctl.toml": `
hostname      = "MTA1.clinic.example."
null_profile  = "newsletter"
require_profile = false
[dns]
servers = ["127.0.0.1:5353", "::1", "[2001:db8::1]:54"]
trust_ad = true
[pools.medical]
sources = [{ address = "192.0.2.10", ehlo = "mta1.clinic.example" }, { address = "2001:db8::10" }]
[pools.default]
[[pools.bulk.sources]]
address = "192.0.2.11"
[delivery]
port = 2525
connections_per_destination = 8
messages_per_connection = 50
connections = 20
pipelining = "message"
window = 4
allow_private_addresses = true
retry = ["1m", "2h30m"]
retry_for = "24h"
max_run = "1h"
[timeouts]
connect    = "31s"
greeting   = "32s"
handshake  = "33s"
command    = "34s"
data_start = "35s"
data_block = "36s"
data_done  = "37s"
dns        = "500ms"
[bounce]
notify = "none"
delay_notice = "0"
[spool]
url = ""
on_doubt = "hold"
`}.write(t)
	c, problems := Load(dir)
	wantAll(t, told(dir, problems.Errors))
	wantAll(t, told(dir, problems.Warnings))
	want := Settings{
		File: filepath.Join(dir, "sendctl.toml"), Hostname: "mta1.clinic.example", NullProfile: "newsletter",
		DNS: DNS{TrustAD: true, Servers: []netip.AddrPort{
			netip.MustParseAddrPort("127.0.0.1:5353"), netip.MustParseAddrPort("[::1]:53"), netip.MustParseAddrPort("[2001:db8::1]:54"),
		}},
		Pools: map[string]Pool{
			"default": {}, "bulk": {[]Source{{netip.MustParseAddr("192.0.2.11"), ""}}},
			"medical": {[]Source{{netip.MustParseAddr("192.0.2.10"), "mta1.clinic.example"}, {netip.MustParseAddr("2001:db8::10"), ""}}},
		},
		Delivery: Delivery{
			Port: 2525, ConnectionsPerDestination: 8, MessagesPerConnection: 50, Connections: 20, Pipelining: "message", Window: 4,
			AllowPrivateAddresses: true, Retry: []time.Duration{time.Minute, 150 * time.Minute}, RetryFor: 24 * time.Hour, MaxRun: time.Hour,
		},
		Timeouts: Timeouts{31 * time.Second, 32 * time.Second, 33 * time.Second, 34 * time.Second, 35 * time.Second, 36 * time.Second, 37 * time.Second, time.Second / 2},
		Bounce:   Bounce{Notify: "none"},
		Spool:    Spool{OnDoubt: "hold"},
	}
	if diff := cmp.Diff(want, c.Settings, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
}

// C2, C10: one fault each.
func TestSettingsErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, at, message string }{
		{"unknown key", "host_name = 'x'", "1:1", `unknown key host_name [did you mean hostname?]`},
		{"unknown table", "[deliver]", "1:2", `unknown key deliver [did you mean delivery?]`},
		{"unknown key in a table", "[dns]\nserver = []", "2:1", `unknown key dns.server [did you mean servers?]`},
		{"hostname a number", "hostname = 1", "1:12", `hostname: text is wanted, this is an integer`},
		{"hostname with a space", "hostname = 'a b.example'", "1:12", `hostname: "a b.example" is no host name [accepted: a domain name`},
		{"hostname an address", "hostname = '192.0.2.1'", "1:12", `is no host name`},
		{"hostname empty", "hostname = ''", "1:12", `is no host name`},
		{"null_profile unknown", "null_profile = 'newsletters'", "1:16", `null_profile: there is no profile newsletters [did you mean newsletter?]`},
		{"null_profile itself", "null_profile = '-'", "1:16", `"-" names no profile`},
		{"null_profile empty", "null_profile = ''", "1:16", `"" names no profile`},
		{"null_profile not a name", "null_profile = 'A'", "1:16", `"A" is not a name`},
		{"require_profile", "require_profile = 'yes'", "1:19", `require_profile: true or false is wanted, this is text [write require_profile = true]`},
		{"resolver by name", "[dns]\nservers = ['127.0.0.1', 'ns.example']", "2:25", `dns.servers: "ns.example" is no address of a resolver [accepted: "127.0.0.1"`},
		{"resolver unspecified", "[dns]\nservers = ['0.0.0.0:53']", "2:12", `is no address to send to`},
		{"resolver port 0", "[dns]\nservers = ['127.0.0.1:0']", "2:12", `is no address to send to`},
		{"resolver port large", "[dns]\nservers = ['127.0.0.1:65536']", "2:12", `is no address of a resolver`},
		{"pools a list", "pools = []", "1:9", `pools: a table is wanted, this is an array`},
		{"pool name", "[pools.'a b']", "1:8", `pools: "a b" is not a name [accepted: `},
		{"pool a text", "[pools]\na = 'x'", "2:5", `pools.a: a table is wanted`},
		{"pool key", "[pools.a]\nsource = []", "2:1", `unknown key pools.a.source [did you mean sources?]`},
		{"sources texts", "[pools.a]\nsources = ['192.0.2.1']", "2:12", `pools.a.sources: a table is wanted, this is text [write sources = [{ address = `},
		{"sources a text", "[pools.a]\nsources = '192.0.2.1'", "2:11", `an array of tables is wanted, this is text`},
		{"source key", "[pools.a]\nsources = [{ address = '192.0.2.1', helo = 'x.example' }]", "2:37", `unknown key pools.a.sources.0.helo [did you mean ehlo?]`},
		{"source without address", "[pools.a]\nsources = [{ ehlo = 'x.example' }]", "2:11", `address is missing`},
		{"address", "[pools.a]\nsources = [{ address = 'x' }]", "2:24", `pools.a.sources.0.address: "x" is no IP address [accepted: an IPv4 or IPv6 address of this host`},
		{"address zone", "[pools.a]\nsources = [{ address = 'fe80::1%eth0' }]", "2:24", `has a zone`},
		{"address unspecified", "[pools.a]\nsources = [{ address = '::' }]", "2:24", `stands for any address; for that leave sources out`},
		{"address multicast", "[pools.a]\nsources = [{ address = '224.0.0.1' }]", "2:24", `is no address of one host`},
		{"address mapped", "[pools.a]\nsources = [{ address = '::ffff:192.0.2.1' }]", "2:24", `write 192.0.2.1`},
		{"address twice", "[pools.a]\nsources = [{ address = '2001:db8::1' }, { address = '2001:DB8:0::1' }]", "2:53", `is there twice`},
		{"address twice in lines", "[[pools.a.sources]]\naddress = '192.0.2.1'\n[[pools.a.sources]]\naddress = '192.0.2.1'", "4:11", `is there twice`},
		{"address a number", "[pools.a]\nsources = [{ address = 1 }]", "2:24", `text is wanted`},
		{"port 0", "[delivery]\nport = 0", "2:8", `delivery.port: 0 is out of range [accepted: 1 to 65535]`},
		{"port large", "[delivery]\nport = 65536", "2:8", `65536 is out of range`},
		{"port text", "[delivery]\nport = '25'", "2:8", `an integer is wanted, this is text [write port = 25]`},
		{"no connections", "[delivery]\nconnections = 0", "2:15", `out of range`},
		{"negative", "[delivery]\nwindow = -1", "2:10", `-1 is out of range [accepted: 1 to 1000]`},
		{"fraction", "[delivery]\nwindow = 1.5", "2:10", `an integer is wanted, this is a number with a fraction`},
		{"pipelining", "[delivery]\npipelining = 'on'", "2:14", `"on" is not known here [accepted: full, message or off]`},
		{"retry empty", "[delivery]\nretry = []", "2:9", `the list is empty`},
		{"retry without unit", "[delivery]\nretry = ['5m', '15']", "2:16", `delivery.retry: "15" is not a duration [accepted: a number and its unit, such as "30s"`},
		{"retry days", "[delivery]\nretry = ['1d']", "2:10", `"1d" is not a duration`},
		{"retry negative", "[delivery]\nretry = ['-5m']", "2:10", `-5m is out of range`},
		{"retry number", "[delivery]\nretry = [5]", "2:10", `text is wanted`},
		{"retry_for number", "[delivery]\nretry_for = 120", "2:13", `text is wanted, this is an integer [write retry_for = "120h"]`},
		{"timeout zero", "[timeouts]\nconnect = '0'", "2:11", `timeouts.connect: 0 is out of range [accepted: 1ms to 24h]`},
		{"timeout long", "[timeouts]\nconnect = '25h'", "2:11", `25h is out of range`},
		{"timeout key", "[timeouts]\ndata = '2m'", "2:1", `unknown key timeouts.data`},
		{"notify", "[bounce]\nnotify = 'file'", "2:10", `[accepted: smtp or none]`},
		{"delay notice", "[bounce]\ndelay_notice = 'never'", "2:16", `is not a duration`},
		{"doubt", "[spool]\non_doubt = 'bounce'", "2:12", `[accepted: retry or hold]`},
		{"store", "[spool]\nurl = 'postgres://h/db'", "2:7", `there is no store of the kind`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := tt.in
			if !strings.Contains(in, "_profile") {
				in += "\n"
			}
			dir := files{"sendctl.toml": in}.write(t)
			_, problems := Load(dir)
			wantAll(t, told(dir, problems.Errors), "sendctl.toml:"+tt.at+": ")
			if got := strings.Join(told(dir, problems.Errors), ""); !strings.Contains(got, tt.message) {
				t.Errorf("got  %s\nwant %s", got, tt.message)
			}
		})
	}
}

func TestSettingsWarnings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"hostname = 'mta'", "hostname: mta is no public host name: it has no dot"},
		{"hostname = 'mta.clinic.local'", ".local is for local networks"},
		{"hostname = 'mta.clinic.internal'", ".internal is for local networks"},
		{"hostname = 'localhost'", "it names the local host"},
		{"hostname = 'localhost.localdomain'", "it names the local host"},
		{"[pools.a]\nsources = [{ address = '192.0.2.1', ehlo = 'mta.lan' }]", "pools.a.sources.0.ehlo: mta.lan is no public host name"},
		{"[dns]\nservers = ['127.0.0.1', '127.0.0.1:53']", "dns.servers: 127.0.0.1:53 is there twice"},
	} {
		dir := files{"sendctl.toml": quiet + tt.in}.write(t)
		_, problems := Load(dir)
		wantAll(t, told(dir, problems.Errors))
		wantAll(t, told(dir, problems.Warnings), tt.want)
	}
	for name, public := range map[string]bool{"mta1.example.com": true, "MTA.Example.com.": true, "mta": false, "x.local": false, "LOCALHOST": false, "": false} {
		if PublicName(name) != public {
			t.Errorf("PublicName(%q) = %v", name, !public)
		}
	}
}
