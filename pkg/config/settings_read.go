package config

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
)

const (
	shortest = time.Millisecond // the sandbox and tests run fast clocks
	day      = 24 * time.Hour
)

// settings reads sendctl.toml; what is wrong with it is reported.
func (l *loader) settings(r report, data []byte) (Settings, table) {
	s := DefaultSettings()
	top, ok := r.parse(data, "hostname", "null_profile", "require_profile", "dns", "pools", "delivery", "timeouts", "bounce", "spool")
	if !ok {
		return s, table{}
	}
	s.File = r.file
	s.Hostname = top.hostname("hostname")
	s.NullProfile = top.nullProfile()
	s.RequireProfile = top.flag("require_profile")
	dns := top.sub("dns", "servers", "trust_ad")
	s.DNS = DNS{Servers: dns.servers(), TrustAD: dns.flag("trust_ad")}
	top.pools(s.Pools)
	top.delivery(&s.Delivery)
	top.timeouts(&s.Timeouts)

	bounce := top.sub("bounce", "notify", "delay_notice")
	s.Bounce.Notify = bounce.choice("notify", s.Bounce.Notify, NotifySMTP, NotifyNone)
	s.Bounce.DelayNotice = bounce.duration("delay_notice", s.Bounce.DelayNotice, 0, 30*day)

	spool := top.sub("spool", "url", "on_doubt")
	s.Spool.OnDoubt = spool.choice("on_doubt", s.Spool.OnDoubt, DoubtRetry, DoubtHold)
	if s.Spool.URL = spool.text("url"); s.Spool.URL != "" {
		spool.valuef(`write url = "" or remove it: the embedded store in the state directory is used`, spool.at("url"),
			"there is no store of the kind %q", shorten(s.Spool.URL))
	}
	return s, top
}

// hostname reads a name to greet servers with. RFC 5321 §4.1.1.1: a domain name.
func (t table) hostname(key string) string {
	name := t.text(key)
	if !t.has(key) {
		return ""
	}
	domain, err := mail.CanonicalDomain(name)
	_, notAddress := netip.ParseAddr(domain)
	if err != nil || notAddress == nil {
		if _, isText := t.m[key].(string); isText {
			t.valuef(`accepted: a domain name, such as "mta1.example.com"`, t.at(key), "%q is no host name", shorten(name))
		}
		return ""
	}
	if why := notPublic(domain); why != "" {
		t.warnAt(t.doc.Value(t.at(key)...), "name the host as public DNS does: many servers refuse or mistrust other names",
			"%s: %s is no public host name: %s", t.name(key), domain, why)
	}
	return domain
}

// notPublic says why a name to greet with is none that the public DNS can know, "" where it may be.
func notPublic(name string) string {
	switch {
	case name == "localhost" || strings.HasSuffix(name, ".localhost") || strings.HasPrefix(name, "localhost."):
		return "it names the local host"
	case !strings.Contains(name, "."):
		return "it has no dot"
	}
	for _, suffix := range []string{".local", ".internal", ".localdomain", ".lan", ".home.arpa"} {
		if strings.HasSuffix(name, suffix) {
			return suffix + " is for local networks"
		}
	}
	return ""
}

// PublicName reports whether name may be a public fully qualified host name; servers mistrust
// a greeting with any other.
func PublicName(name string) bool {
	return notPublic(strings.ToLower(strings.TrimSuffix(name, "."))) == ""
}

func (t table) nullProfile() string {
	name := t.text("null_profile")
	if v, isText := t.m["null_profile"].(string); isText && (v == "" || v == policy.NullProfile) {
		t.valuef("name a profile, or remove null_profile for unencrypted transport", t.at("null_profile"), "%q names no profile", v)
		return ""
	}
	if t.has("null_profile") && !t.checkName("null_profile", name) {
		return ""
	}
	return name
}

// servers reads resolvers: an address, with or without a port.
func (t table) servers() []netip.AddrPort {
	const forms = `accepted: "127.0.0.1", "127.0.0.1:53", "::1" or "[::1]:53"`
	var out []netip.AddrPort
	for _, it := range t.texts("servers", `["127.0.0.1:53"]`) {
		server, err := netip.ParseAddrPort(it.text)
		if err != nil {
			addr, addrErr := netip.ParseAddr(it.text)
			if addrErr != nil {
				t.valuef(forms, it.path, "%q is no address of a resolver", shorten(it.text))
				continue
			}
			server = netip.AddrPortFrom(addr, 53)
		}
		switch {
		case server.Addr().IsUnspecified() || server.Port() == 0:
			t.valuef(forms, it.path, "%s is no address to send to", it.text)
		case slices.Contains(out, server):
			t.warnAt(t.doc.Value(it.path...), "remove one of them", "dns.servers: %s is there twice", it.text)
		default:
			out = append(out, server)
		}
	}
	return out
}

// pools reads the pools into those that are there by default.
func (t table) pools(into map[string]Pool) {
	all, ok := t.m["pools"].(map[string]any)
	if !ok {
		if t.has("pools") {
			t.wrongType("pools", t.m["pools"], "a table", `{ medical = { sources = [{ address = "192.0.2.10" }] } }`)
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !ValidName(name) {
			t.errorAt(t.doc.Key("pools", name), nameForm, "pools: %q is not a name", shorten(name))
			continue
		}
		pools := table{report: t.report, doc: t.doc, path: []string{"pools"}, m: all}
		into[name] = pools.sub(name, "sources").pool()
	}
}

func (t table) pool() Pool {
	const example = `[{ address = "192.0.2.10", ehlo = "mta1.example.com" }]`
	var tables []map[string]any
	switch v := t.m["sources"].(type) {
	case nil:
	case []map[string]any:
		tables = v
	case []any:
		for i, element := range v {
			m, ok := element.(map[string]any)
			if !ok {
				t.valuef("write sources = "+example, t.at("sources", strconv.Itoa(i)), "a table is wanted, this is %s", typeName(element))
			}
			tables = append(tables, m)
		}
	default:
		t.wrongType("sources", v, "an array of tables", example)
	}
	var p Pool
	for i, m := range tables {
		if m == nil {
			continue
		}
		s := table{report: t.report, doc: t.doc, path: t.at("sources", strconv.Itoa(i)), m: m}
		s.only([]string{"address", "ehlo"})
		if source, ok := s.source(p.Sources); ok {
			p.Sources = append(p.Sources, source)
		}
	}
	return p
}

// source reads one address of a pool; others are those before it.
func (t table) source(others []Source) (Source, bool) {
	ehlo := t.hostname("ehlo")
	if !t.require("address", `address = "192.0.2.10"`) {
		return Source{}, false
	}
	text := t.text("address")
	addr, err := netip.ParseAddr(text)
	const forms = `accepted: an IPv4 or IPv6 address of this host, such as "192.0.2.10" or "2001:db8::10"`
	complain := func(what string) (Source, bool) {
		if _, isText := t.m["address"].(string); isText {
			t.valuef(forms, t.at("address"), "%q %s", shorten(text), what)
		}
		return Source{}, false
	}
	switch {
	case err != nil:
		return complain("is no IP address")
	case addr.Zone() != "":
		return complain("has a zone; mail cannot leave a link-local network")
	case addr.IsUnspecified():
		return complain("stands for any address; for that leave sources out")
	case addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return complain("is no address of one host")
	case addr.Is4In6():
		return complain("is an IPv4 address in IPv6 form; write " + addr.Unmap().String())
	case slices.ContainsFunc(others, func(s Source) bool { return s.Address == addr }):
		return complain("is there twice")
	}
	return Source{Address: addr, EHLO: ehlo}, true
}

func (t table) delivery(d *Delivery) {
	s := t.sub("delivery", "port", "connections_per_destination", "messages_per_connection", "connections", "pipelining",
		"window", "allow_private_addresses", "retry", "retry_for", "max_run")
	d.Port = s.number("port", d.Port, 65535)
	d.ConnectionsPerDestination = s.number("connections_per_destination", d.ConnectionsPerDestination, 1000)
	d.MessagesPerConnection = s.number("messages_per_connection", d.MessagesPerConnection, 100_000)
	d.Connections = s.number("connections", d.Connections, 10_000)
	d.Pipelining = s.choice("pipelining", d.Pipelining, PipeliningFull, PipeliningMessage, PipeliningOff)
	d.Window = s.number("window", d.Window, 1000)
	d.AllowPrivateAddresses = s.flag("allow_private_addresses")
	d.RetryFor = s.duration("retry_for", d.RetryFor, shortest, 30*day)
	d.MaxRun = s.duration("max_run", d.MaxRun, shortest, 30*day)
	if !s.has("retry") {
		return
	}
	d.Retry = nil
	for _, it := range s.texts("retry", `["5m", "15m", "1h"]`) {
		if wait, ok := s.span(it.text, it.path, shortest, 30*day); ok {
			d.Retry = append(d.Retry, wait)
		}
	}
	if list, ok := s.m["retry"].([]any); ok && len(list) == 0 {
		s.valuef(`write retry = ["5m", "15m", "1h"], or remove it`, s.at("retry"), "the list is empty")
	}
	if len(d.Retry) == 0 {
		d.Retry = DefaultSettings().Delivery.Retry
	}
}

func (t table) timeouts(to *Timeouts) {
	fields := []struct {
		key  string
		into *time.Duration
	}{
		{"connect", &to.Connect}, {"greeting", &to.Greeting}, {"handshake", &to.Handshake}, {"command", &to.Command},
		{"data_start", &to.DataStart}, {"data_block", &to.DataBlock}, {"data_done", &to.DataDone}, {"dns", &to.DNS},
	}
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	s := t.sub("timeouts", keys...)
	for _, f := range fields {
		*f.into = s.duration(f.key, *f.into, shortest, day)
	}
}
