package hello_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/sendctl/sendctl/pkg/hello"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// record puts a record's header before its body.
func record(kind byte, body string) string {
	return string([]byte{kind, 3, 1, byte(len(body) >> 8), byte(len(body))}) + body
}

// serverHello is a minimal ServerHello message.
func serverHello(version, suite uint16) string {
	m := string(binary.BigEndian.AppendUint16(nil, version)) + strings.Repeat("r", 32) + "\x00" +
		string(binary.BigEndian.AppendUint16(nil, suite)) + "\x00"
	return string([]byte{2, 0, 0, byte(len(m))}) + m
}

func TestReader(t *testing.T) {
	t.Parallel()
	sh := serverHello(0x0301, 0x0033)
	for name, tt := range map[string]struct {
		in   string
		want hello.Answer
	}{
		"fatal alert":        {record(21, "\x02\x46"), hello.Answer{Kind: hello.Alert, Alert: 70}},
		"close_notify":       {record(21, "\x01\x00"), hello.Answer{Kind: hello.Alert, Alert: 0}},
		"DHE":                {record(22, sh), hello.Answer{Kind: hello.ServerHello, Version: tlsnames.TLS10, Suite: 0x33}},
		"over two records":   {record(22, sh[:3]) + record(22, sh[3:]), hello.Answer{Kind: hello.ServerHello, Version: tlsnames.TLS10, Suite: 0x33}},
		"more in the record": {record(22, sh+"\x0b\x00\x00\x10"), hello.Answer{Kind: hello.ServerHello, Version: tlsnames.TLS10, Suite: 0x33}},
		"warning before it": {record(21, "\x01\x70") + record(22, sh),
			hello.Answer{Kind: hello.ServerHello, Version: tlsnames.TLS10, Suite: 0x33, Warnings: []tlsnames.Alert{112}}},
		"SSLv3": {record(22, serverHello(0x0300, 5)), hello.Answer{Kind: hello.ServerHello, Version: hello.SSL3, Suite: 5}},
		"SSLv2": {"\x80\x14\x04\x00\x01\x00\x02\x00\x03\x00\x03\x00\x03" + "crt" + "\x07\x00\xc0" + "cid",
			hello.Answer{Kind: hello.ServerHello, Version: hello.SSL2, Specs: []uint32{0x0700c0}}},
	} {
		var r hello.Reader
		done, err := r.Feed([]byte(tt.in))
		got := r.Answer()
		if err != nil || !done || got.Kind != tt.want.Kind || got.Version != tt.want.Version || got.Suite != tt.want.Suite ||
			got.Alert != tt.want.Alert || len(got.Warnings) != len(tt.want.Warnings) || len(got.Specs) != len(tt.want.Specs) {
			t.Errorf("%s: %+v, %v, %v; want %+v", name, got, done, err, tt.want)
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	var other *hello.NotTLSError
	var bad *hello.MalformedError
	for name, tt := range map[string]struct {
		in string
		as any
	}{
		"SMTP":                 {"454 4.7.0 TLS not available\r\n", &other},
		"HTTP":                 {"HTTP/1.1 400 Bad Request\r\n", &other},
		"application data":     {"\x17\x03\x03\x00\x01x", &other},
		"version 2.x":          {"\x16\x02", &other},
		"high bit, no SSLv2":   {"\xff\xff\xff", &other},
		"empty record":         {record(22, ""), &bad},
		"huge record":          {"\x16\x03\x03\xff\xff", &bad},
		"Certificate first":    {record(22, "\x0b"), &bad},
		"huge ServerHello":     {record(22, "\x02\xff\xff\xff"), &bad},
		"short ServerHello":    {record(22, "\x02\x00\x00\x02\x03\x03"), &bad},
		"three octets alert":   {record(21, "\x02\x28\x00"), &bad},
		"warnings without end": {strings.Repeat(record(21, "\x01\x70"), 9), &bad},
		"SSLv2 too short":      {"\x80\x04\x04\x00", &bad},
		"SSLv2 parts too long": {"\x80\x0b\x04\x00\x01\x00\x02\xff\xff\x00\x03\x00\x03", &bad},
		"extensions too long":  {record(22, "\x02\x00\x00\x2a\x03\x03"+strings.Repeat("r", 32)+"\x00\x00\x2f\x00\xff\xff\x00\x2b"), &bad},
		"extension too long":   {record(22, "\x02\x00\x00\x2c\x03\x03"+strings.Repeat("r", 32)+"\x00\x00\x2f\x00\x00\x04\x00\x2b\xff\xff"), &bad},
	} {
		var r hello.Reader
		done, err := r.Feed([]byte(tt.in))
		if done || !errors.As(err, tt.as) {
			t.Errorf("%s: %v, %v", name, done, err)
		}
		if _, again := r.Feed([]byte("x")); !errors.Is(again, err) {
			t.Errorf("%s: the error was forgotten: %v", name, again)
		}
	}
}

// The answer to half a ServerHello is neither an answer nor an error.
func TestReaderNeedsMore(t *testing.T) {
	t.Parallel()
	var r hello.Reader
	if r.Started() {
		t.Error("started before anything came")
	}
	done, err := r.Feed([]byte(record(22, serverHello(0x0303, 0xc02f)[:20])))
	if done || err != nil || r.Answer().Kind != hello.Nothing || !r.Started() {
		t.Fatalf("%v, %v, %+v", done, err, r.Answer())
	}
}

// A hello fits one TCP segment of a common path (1460 octets), and has 128 suites at most
// in versions whose servers count them: both were seen to make old mail servers hang.
func TestHelloSize(t *testing.T) {
	t.Parallel()
	for _, v := range append(tlsnames.Versions(), hello.SSL3) {
		b := hello.New(v, "a-rather-long-name-of-a-mail-host.example.com", random(9)).Bytes()
		if len(b) > 1200 || len(b) < 50 {
			t.Errorf("%s: %d octets", hello.VersionName(v), len(b))
		}
		if n := int(binary.BigEndian.Uint16(b[3:])); n != len(b)-5 {
			t.Errorf("%s: the record says %d octets and has %d", hello.VersionName(v), n, len(b)-5)
		}
	}
	if b := hello.New(hello.SSL3, "mx.example.test", random(9)).Bytes(); string(b[9:11]) != "\x03\x00" || strings.Contains(string(b), "example") {
		t.Errorf("SSLv3 has extensions or another version: %x", b)
	}
	if b := hello.SSL2Bytes([16]byte{}); len(b) != 2+int(b[1]) || b[2] != 1 || string(b[3:5]) != "\x00\x02" {
		t.Errorf("SSLv2: %x", b)
	}
}

func TestGoodbye(t *testing.T) {
	t.Parallel()
	if got := hello.Goodbye(tlsnames.TLS13); string(got) != "\x15\x03\x03\x00\x02\x01\x5a\x15\x03\x03\x00\x02\x01\x00" {
		t.Errorf("%x", got)
	}
	if got := hello.Goodbye(0); got[2] != 0 {
		t.Errorf("%x", got)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(record(22, serverHello(0x0303, 0xc02f))), 7)
	f.Add([]byte(record(21, "\x01\x70")+record(22, serverHello(0x0301, 5))), 3)
	f.Add([]byte("\x80\x14\x04\x00\x01\x00\x02\x00\x03\x00\x03\x00\x03crt\x07\x00\xc0cid"), 2)
	f.Add([]byte(record(22, serverHello(0x0303, 0xc02f)+"\x0b\x00\x00\x00\x0c\x00\x00\x03\x03\x00\x17")), 5)
	f.Fuzz(func(t *testing.T, in []byte, at int) {
		keys := at%2 != 0
		whole := hello.Reader{Group: keys}
		done, err := whole.Feed(in)
		if at < 0 || at > len(in) {
			return
		}
		parts := hello.Reader{Group: keys}
		d, e := parts.Feed(in[:at])
		if !d && e == nil {
			d, e = parts.Feed(in[at:])
		}
		if len(in) < 1<<16 && (d != done || (e == nil) != (err == nil) || parts.Answer().Kind != whole.Answer().Kind || parts.Answer().Version != whole.Answer().Version || parts.Answer().Group != whole.Answer().Group) {
			t.Fatalf("whole: %+v %v %v, split at %d: %+v %v %v", whole.Answer(), done, err, at, parts.Answer(), d, e)
		}
		if done == (whole.Answer().Kind == hello.Nothing) {
			t.Fatalf("complete: %v, answer %+v", done, whole.Answer())
		}
	})
}
