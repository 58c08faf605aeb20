package mtasts_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sendctl/sendctl/pkg/mtasts"
)

const good = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n"

// FAULTS P3.
func TestParsePolicy(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		in   string
		want string // of the error; "" for a good policy
	}{
		"RFC 8461 §3.2":         {good, ""},
		"LF":                    {strings.ReplaceAll(good, "\r", ""), ""},
		"mixed line ends":       {strings.Replace(good, "\r", "", 2), ""},
		"no final line end":     {strings.TrimSpace(good), ""},
		"final empty lines":     {good + "\r\n\n", ""},
		"no space after colon":  {strings.ReplaceAll(good, ": ", ":"), ""},
		"space at the end":      {strings.ReplaceAll(good, "\r", "  \r"), ""},
		"unknown key":           {good + "x-key_1.2: whatever\r\n", ""},
		"dot and upper case":    {strings.Replace(good, "mail.example.com", "Mail.EXAMPLE.com.", 1), ""},
		"mode twice":            {good + "mode: none\r\n", ""},
		"max_age 0":             {strings.Replace(good, "604800", "0", 1), ""},
		"max_age a year":        {strings.Replace(good, "604800", "31557600", 1), ""},
		"none needs no mx":      {"version: STSv1\nmode: none\nmax_age: 1\n", ""},
		"empty":                 {"", "version"},
		"no version":            {strings.Replace(good, "version: STSv1\r\n", "", 1), "version"},
		"another version":       {strings.Replace(good, "STSv1", "STSv2", 1), "version"},
		"unknown mode":          {strings.Replace(good, "enforce", "Enforce", 1), "mode"},
		"no mode":               {strings.Replace(good, "mode: enforce\r\n", "", 1), "mode"},
		"enforce without mx":    {"version: STSv1\nmode: enforce\nmax_age: 1\n", "no mx"},
		"nmx for mx":            {"version: STSv1\nmode: enforce\nnmx: a.example\nmax_age: 1\n", "no mx"},
		"an address":            {strings.Replace(good, "mail.example.com", "192.0.2.1", 1), "address"},
		"wildcard in mid":       {strings.Replace(good, "mail.example.com", "a.*.example.com", 1), "host name"},
		"wildcard twice":        {strings.Replace(good, "mail.example.com", "*.*.example.com", 1), "host name"},
		"wildcard of a TLD":     {strings.Replace(good, "mail.example.com", "*.com", 1), "host name"},
		"a bare star":           {strings.Replace(good, "mail.example.com", "*", 1), "host name"},
		"a leading dot":         {strings.Replace(good, "mail.example.com", ".example.com", 1), "host name"},
		"empty mx":              {strings.Replace(good, "mail.example.com", "", 1), "host name"},
		"not ASCII":             {strings.Replace(good, "mail.", "mäil.", 1), "host name"},
		"no max_age":            {strings.Replace(good, "max_age: 604800\r\n", "", 1), "max_age"},
		"max_age 1e12":          {strings.Replace(good, "604800", "1000000000000", 1), "max_age"},
		"max_age -1":            {strings.Replace(good, "604800", "-1", 1), "max_age"},
		"max_age +1":            {strings.Replace(good, "604800", "+1", 1), "max_age"},
		"max_age over a year":   {strings.Replace(good, "604800", "31557601", 1), "max_age"},
		"no colon":              {good + "hello\r\n", "colon"},
		"HTML":                  {"<html><body>Not found</body></html>", "colon"},
		"space in key":          {good + "my key: x\r\n", "no key"},
		"empty line within":     {strings.Replace(good, "mode", "\r\nmode", 1), "empty"},
		"control character":     {good + "x: a\x00b\r\n", "control"},
		"invalid UTF-8":         {good + "x: \xff\r\n", "UTF-8"},
		"too long":              {good + "x: " + strings.Repeat("y", mtasts.MaxPolicy), "octets"},
		"more mx than are used": {good + strings.Repeat("mx: a.example\n", 100), "mx"},
	} {
		p, err := mtasts.ParsePolicy([]byte(tt.in))
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.want == "" && p.Mode != mtasts.None && (p.Mode != mtasts.Enforce || len(p.MX) != 2 || p.MX[0] != "mail.example.com"):
			t.Errorf("%s: %+v", name, p)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %+v, %v; want an error about %s", name, p, err, tt.want)
		}
	}
	p, _ := mtasts.ParsePolicy([]byte(good))
	if p.MaxAge != 7*24*time.Hour {
		t.Errorf("max_age is %s", p.MaxAge)
	}
}

// RFC 8461 §4.1: a wildcard is one label, and the left-most one.
func TestMatches(t *testing.T) {
	t.Parallel()
	p := mtasts.Policy{MX: []string{"mail.example.com", "*.example.net"}}
	for host, want := range map[string]bool{
		"mail.example.com": true, "MAIL.Example.Com.": true, "mail.example.com.evil": false, "xmail.example.com": false,
		"a.mail.example.com": false, "a.example.net": true, "a.b.example.net": false, "example.net": false, ".example.net": false,
		"aexample.net": false, "": false,
	} {
		if got := p.Matches(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

// FAULTS P1.
func TestParseRecord(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		texts []string
		id    string
		none  bool
	}{
		"good":                   {texts: []string{"v=STSv1; id=20160831085700Z;"}, id: "20160831085700Z"},
		"no final semicolon":     {texts: []string{"v=STSv1;id=1"}, id: "1"},
		"beside other texts":     {texts: []string{"hello", "v=STSv1; id=a1", "v=STSv12; id=b"}, id: "a1"},
		"extension field":        {texts: []string{"v=STSv1; id=a1; x=y=z"}, id: "a1"},
		"absent":                 {none: true},
		"others only":            {texts: []string{"v=spf1 -all"}, none: true},
		"version not first":      {texts: []string{"id=1; v=STSv1"}, none: true},
		"two":                    {texts: []string{"v=STSv1; id=a1", "v=STSv1; id=a2"}},
		"no id":                  {texts: []string{"v=STSv1;"}},
		"empty id":               {texts: []string{"v=STSv1; id=;"}},
		"id of 33":               {texts: []string{"v=STSv1; id=" + strings.Repeat("a", 33)}},
		"id with a minus":        {texts: []string{"v=STSv1; id=2016-08-31"}},
		"no semicolon":           {texts: []string{"v=STSv1 id=1"}},
		"a field without equals": {texts: []string{"v=STSv1; id=1; hello"}},
	} {
		id, err := mtasts.ParseRecord(tt.texts)
		if id != tt.id || (err == nil) != (tt.id != "") || errors.Is(err, mtasts.ErrNoRecord) != tt.none {
			t.Errorf("%s: %q, %v", name, id, err)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("version: STSv1\nmode: none\nmax_age: 1\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := mtasts.ParsePolicy(in)
		if err != nil {
			return
		}
		if p.Mode != mtasts.None && len(p.MX) == 0 || p.MaxAge < 0 || p.MaxAge > 366*24*time.Hour {
			t.Fatalf("%+v", p)
		}
		for _, mx := range p.MX {
			host := strings.Replace(mx, "*", "label", 1)
			if !p.Matches(host) || p.Matches("x."+mx) && !strings.HasPrefix(mx, "*.") && len(p.MX) == 1 {
				t.Fatalf("%q does not match itself in %+v", host, p)
			}
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	f.Add("v=STSv1; id=20160831085700Z;")
	f.Fuzz(func(t *testing.T, in string) {
		id, err := mtasts.ParseRecord([]string{in})
		if (err == nil) != (len(id) > 0 && len(id) <= 32) {
			t.Fatalf("%q, %v", id, err)
		}
	})
}
