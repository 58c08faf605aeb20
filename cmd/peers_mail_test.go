//go:build peers && linux

package cmd_test

import (
	"bytes"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// arrived is a message as a real server filed it.
type arrived struct {
	returnPath string
	recipients []string // of the envelope
	received   received // what the server itself says about how it came
	content    []byte   // the message without what the server put before it, line ends made CRLF
}

// received is a server's Received field read back: the independent witness of what sendctl reports.
type received struct {
	field                 string // unfolded
	ehlo, ip, by, proto   string
	version, cipher       string // "" in clear; by IANA's names
	group                 string // where the server tells it
	client, clientVerdict string // CN of the client certificate and what the server makes of it
}

// readMaildir reads a maildir's new messages.
func readMaildir(t *testing.T, dir string) []arrived {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	var out []arrived
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, readArrived(t, b))
	}
	return out
}

// readArrived takes apart what the server put before the message. Unix mail stores end lines
// with LF: a CR that is left then was content.
func readArrived(t *testing.T, b []byte) arrived {
	t.Helper()
	var a arrived
	seen := false
	for !seen {
		name, value, rest, ok := cutField(b)
		if !ok {
			t.Fatalf("a message has arrived without a Received field:\n%.500s", b)
		}
		b = rest
		switch textproto.CanonicalMIMEHeaderKey(name) {
		case "Return-Path":
			a.returnPath = strings.Trim(value, "<>")
		case "X-Original-To":
			a.recipients = append(a.recipients, value)
		case "Envelope-To":
			a.recipients = strings.Split(value, ", ")
		case "Delivered-To", "Delivery-Date":
		case "Received":
			a.received, seen = readReceived(t, value), true
		default:
			t.Fatalf("the server put %s before a message", name)
		}
	}
	a.content = toCRLF(b)
	return a
}

// cutField takes the first header field off, unfolded.
func cutField(b []byte) (name, value string, rest []byte, ok bool) {
	end := 0
	for {
		i := bytes.IndexByte(b[end:], '\n')
		if i < 0 {
			return "", "", b, false
		}
		end += i + 1
		if end == len(b) || b[end] != ' ' && b[end] != '\t' {
			break
		}
	}
	name, value, ok = strings.Cut(string(b[:end]), ":")
	return name, strings.Join(strings.Fields(value), " "), b[end:], ok
}

// toCRLF is the canonical form, made in the plainest way: independent of pkg/mail's.
func toCRLF(b []byte) []byte {
	s := strings.ReplaceAll(string(b), "\r\n", "\n")
	return []byte(strings.ReplaceAll(s, "\n", "\r\n"))
}

// canonical is what a message of a test must arrive as: CRLF line ends, the last line ended,
// and no Bcc.
func canonical(message string) []byte {
	s := string(toCRLF([]byte(message)))
	if !strings.HasSuffix(s, "\r\n") {
		s += "\r\n"
	}
	return []byte(regexp.MustCompile(`(?mi)^Bcc:.*\r\n(?:[ \t].*\r\n)*`).ReplaceAllString(s, ""))
}

// The Received fields of Postfix 3.7 with smtpd_tls_received_header, and of Exim 4.96.
func receivedForms() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`^from (?P<ehlo>\S+) \(unknown \[(?P<ip>[^\]]+)\]\)` +
			`(?: \(using (?P<version>\S+) with cipher (?P<cipher>\S+) \(\d+/\d+ bits\)(?: key-exchange (?P<group>\S+(?: \([^)]*\))?))?[^)]*(?:\([^)]*\)[^)]*)*\))?` +
			`(?: \((?:No client certificate requested|Client did not present a certificate|Client CN "(?P<client>[^"]*)", Issuer "[^"]*" \((?P<verdict>[^)]*)\))\))?` +
			` by (?P<by>\S+) \(Postfix\) with (?P<proto>\S+) id `),
		regexp.MustCompile(`^by (?P<by>\S+) \(Postfix\) id `), // its own notices
		regexp.MustCompile(`^from (?:\[(?P<ip>[\d.]+)\] \(helo=(?P<ehlo>\S+)\)|(?P<ehlo>\S+) \(\[(?P<ip>[\d.]+)\]\)) by (?P<by>\S+) ` +
			`with (?P<proto>\S+) (?:\((?P<version>TLS[^)]*)\) (?:tls (?P<cipher>\S+) )?)?\(Exim `),
	}
}

func readReceived(t *testing.T, field string) received {
	t.Helper()
	r := received{field: field}
	for _, form := range receivedForms() {
		found := form.FindStringSubmatch(field)
		if found == nil {
			continue
		}
		for i, name := range form.SubexpNames() {
			if found[i] != "" && name != "" {
				*map[string]*string{
					"ehlo": &r.ehlo, "ip": &r.ip, "by": &r.by, "proto": &r.proto, "version": &r.version, "cipher": &r.cipher,
					"group": &r.group, "client": &r.client, "verdict": &r.clientVerdict,
				}[name] = found[i]
			}
		}
		r.version = versionOf(r.version)
		r.cipher = suiteOf(r.cipher, r.version)
		return r
	}
	t.Fatalf("a Received field of an unknown form: %s", field)
	return r
}

// versionOf gives a server's name of a TLS version the form of sendctl's.
func versionOf(name string) string {
	switch name {
	case "":
		return ""
	case "TLSv1", "TLS1.0":
		return "TLSv1.0"
	}
	return "TLSv" + strings.TrimPrefix(strings.TrimPrefix(name, "TLS"), "v")
}

// suiteOf translates OpenSSL's names, and those of Exim 4.96 with GnuTLS, which looks a suite of
// TLS 1.3 up by its cipher alone and so finds an older one.
func suiteOf(name, version string) string {
	if version == "TLSv1.3" {
		name = strings.Replace(name, "TLS_ECDHE_RSA_WITH_", "TLS_", 1)
	}
	if s, ok := tlsnames.ParseSuite(name); ok {
		return s.String()
	}
	return name
}
