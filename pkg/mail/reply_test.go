package mail

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestParseReplyLine has FAULTS S9's lines.
func TestParseReplyLine(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, line string
		want       ReplyLine
		ok         bool
	}{
		{"text", "250 ok", ReplyLine{Code: 250, Text: "ok"}, true},
		{"more", "250-SIZE 1000", ReplyLine{Code: 250, More: true, Text: "SIZE 1000"}, true},
		{"S9 code alone", "250", ReplyLine{Code: 250}, true},
		{"space and no text", "250 ", ReplyLine{Code: 250}, true},
		{"hyphen and no text", "250-", ReplyLine{Code: 250, More: true}, true},
		{"enhanced", "250 2.1.5 rcpt ok", ReplyLine{250, false, Status{2, 1, 5}, "rcpt ok"}, true},
		{"enhanced alone", "550 5.7.10", ReplyLine{550, false, Status{5, 7, 10}, ""}, true},
		{"enhanced in each line", "550-5.1.1 no such", ReplyLine{550, true, Status{5, 1, 1}, "no such"}, true},
		{"class of another code stays text", "250 5.1.1 odd", ReplyLine{Code: 250, Text: "5.1.1 odd"}, true},
		{"354 has no class", "354 2.0.0 go", ReplyLine{Code: 354, Text: "2.0.0 go"}, true},
		{"an IP address is no status", "550 5.1.1.2 x", ReplyLine{Code: 550, Text: "5.1.1.2 x"}, true},
		{"second digit 9", "599 x", ReplyLine{Code: 599, Text: "x"}, true},
		{"hostile text is kept for Clean", "550 \x1b[2Jx\ry\x00", ReplyLine{Code: 550, Text: "\x1b[2Jx\ry\x00"}, true},
		{"S9 code 099", "099 x", ReplyLine{}, false},
		{"code 199", "199 x", ReplyLine{}, false},
		{"S9 code 600", "600 x", ReplyLine{}, false},
		{"S9 25", "25", ReplyLine{}, false},
		{"two digits and text", "25 ok", ReplyLine{}, false},
		{"four digits", "2500 ok", ReplyLine{}, false},
		{"S9 tab", "250\tx", ReplyLine{}, false},
		{"empty", "", ReplyLine{}, false},
		{"HTTP", "HTTP/1.1 400 Bad Request", ReplyLine{}, false},
		{"TLS", "\x16\x03\x01", ReplyLine{}, false},
		{"S9 LF within", "250 a\n250 b", ReplyLine{}, false},
		{"space before", " 250 ok", ReplyLine{}, false},
		{"digits of another script", "２５０ ok", ReplyLine{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseReplyLine(tt.line)
			if (err == nil) != tt.ok || got != tt.want {
				t.Errorf("ParseReplyLine(%q) = %+v, %v; want %+v, ok %v", tt.line, got, err, tt.want, tt.ok)
			}
		})
	}
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Status{
		"2.0.0": {2, 0, 0}, "4.7.10": {4, 7, 10}, "5.999.999": {5, 999, 999},
		"": {}, "2.0": {}, "2.0.0.": {}, "2.0.0.0": {}, "1.0.0": {}, "3.0.0": {}, "6.0.0": {}, "02.0.0": {},
		"5.07.1": {}, "5.7.1000": {}, "5..1": {}, "5.7.": {}, "5.+1.1": {}, "5.7.1x": {}, "５.7.1": {},
	} {
		got, ok := ParseStatus(in)
		if got != want || ok == want.IsZero() {
			t.Errorf("ParseStatus(%q) = %v, %v; want %v", in, got, ok, want)
		}
		if ok && got.String() != in {
			t.Errorf("%q is written %q", in, got)
		}
	}
}

func TestReply(t *testing.T) {
	t.Parallel()
	for code, want := range map[int][4]bool{
		250: {true, false, false, false}, 354: {false, true, false, false},
		451: {false, false, true, false}, 550: {false, false, false, true}, 0: {},
	} {
		r := Reply{Code: code}
		if got := [4]bool{r.Positive(), r.Intermediate(), r.Transient(), r.Permanent()}; got != want {
			t.Errorf("%d: %v, want %v", code, got, want)
		}
	}
	r := Reply{550, Status{5, 1, 1}, []string{"no such", "user\x1b[31m"}}
	if got, want := r.String(), "550 5.1.1 no such user\uFFFD[31m"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
	if got := (Reply{Code: 250}).String(); got != "250" {
		t.Errorf("a bare code is %q", got)
	}
	if z := (Reply{}); !z.IsZero() || z.String() != "" {
		t.Errorf("the zero reply is %q", z)
	}
}

// TestClean is FAULTS S25: what a remote says must not steer a terminal.
func TestClean(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "plain text", "plain text"},
		{"escape sequence", "\x1b[2J\x1b]0;title\a", "\uFFFD[2J\uFFFD]0;title\uFFFD"},
		{"C1 control", "a\u009bb", "a\uFFFDb"},
		{"line ends and tab", "a\r\nb\tc", "a  b c"},
		{"NUL and DEL", "a\x00\x7f", "a\uFFFD\uFFFD"},
		{"bidi", "a\u202eb\u2066c", "a\uFFFDb\uFFFDc"},
		{"zero width", "a\u200bb", "a\uFFFDb"},
		{"line separator", "a\u2028b", "a\uFFFDb"},
		{"invalid UTF-8", "a\xffb\xc3", "a\uFFFDb\uFFFD"},
		{"text in other scripts", "größe 大きさ", "größe 大きさ"},
	} {
		if got := Clean(tt.in); got != tt.want {
			t.Errorf("%s: Clean(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
	if got := Clean(strings.Repeat("x", 100_000)); utf8.RuneCountInString(got) != MaxCleanRunes+1 || !strings.HasSuffix(got, "x…") {
		t.Errorf("100 KB became %d runes", utf8.RuneCountInString(got))
	}
}

func FuzzReplyLine(f *testing.F) {
	for _, s := range []string{"250 ok", "250-", "250", "550 5.1.1 no", "099", "250\tx", "", "4\x00\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r, err := ParseReplyLine(line)
		if err != nil {
			if r != (ReplyLine{}) {
				t.Fatalf("%q: an error and %+v", line, r)
			}
			return
		}
		if r.Code < 200 || r.Code > 599 || strings.Contains(line, "\n") {
			t.Fatalf("%q was read as %+v", line, r)
		}
		if !r.Status.IsZero() && r.Status.Class != r.Code/100 {
			t.Fatalf("%q: status %s of another class than %d", line, r.Status, r.Code)
		}
		clean := Clean(r.Text)
		if Clean(clean) != clean || strings.ContainsFunc(clean, func(c rune) bool { return c < ' ' }) {
			t.Fatalf("%q is not clean", clean)
		}
	})
}
