package mail

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// messageOf is a usual message of about n octets.
func messageOf(n int, end string) string {
	const head = "Return-Path: <bounces@clinic.example>\r\n" +
		"Received: from app.clinic.example (app.clinic.example [192.0.2.7])\r\n\tby mta1.clinic.example; Fri, 02 Jan 2026 03:04:05 +0000\r\n" +
		"From: \"Clinic, Lab\" <lab@clinic.example>\r\nTo: Jane Doe <jane@example.net>\r\nReply-To: lab@clinic.example\r\n" +
		"Subject: =?utf-8?Q?Your_results?=\r\nDate: Fri, 02 Jan 2026 03:04:05 +0000\r\nMessage-ID: <1234.5678@clinic.example>\r\n" +
		"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\nX-Mailer: none\r\n\r\n"
	line := strings.Repeat("word ", 14) + "\r\n"
	return strings.ReplaceAll(head+strings.Repeat(line, (n-len(head))/len(line)+1), "\r\n", end)
}

var benchMessages = []struct {
	name, end string
	size      int
}{{"2KB", "\r\n", 2 << 10}, {"2KB-LF", "\n", 2 << 10}, {"50KB", "\r\n", 50 << 10}, {"50KB-LF", "\n", 50 << 10}}

func BenchmarkParse(b *testing.B) {
	for _, bb := range benchMessages {
		b.Run(bb.name, func(b *testing.B) {
			s := messageOf(bb.size, bb.end)
			src := strings.NewReader(s)
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(src, int64(len(s))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWireWriteTo(b *testing.B) {
	for _, bb := range benchMessages {
		b.Run(bb.name, func(b *testing.B) {
			c := mustParse(b, messageOf(bb.size, bb.end)).Wire(Stamp{})
			b.SetBytes(c.Size())
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.WriteTo(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// linesOf is about n octets of lines that are as long as width says.
func linesOf(n int, start string, width func(i int) int) []byte {
	var b []byte
	for i := 0; len(b) < n; i++ {
		b = append(b, start...)
		for range width(i) - len(start) {
			b = append(b, "sixteen letters "[len(b)%16])
		}
		b = append(b, "\r\n"...)
	}
	return b
}

func always(n int) func(int) int { return func(int) int { return n } }

// ragged is 30 to 79, in no order that could be foreseen.
func ragged(i int) int { return 30 + i*i*7919%997%50 }

var benchLines = []struct {
	name string
	p    []byte
}{
	{"2KB", linesOf(2<<10, "", always(70))},
	{"2KB-ragged", linesOf(2<<10, "", ragged)},
	{"50KB", linesOf(50<<10, "", always(70))},
	{"50KB-base64", linesOf(50<<10, "", always(76))},
	{"50KB-ragged", linesOf(50<<10, "", ragged)},
	{"50KB-long", linesOf(50<<10, "", always(maxLineOctets))},
	{"50KB-dots", linesOf(50<<10, ".", always(70))},
	{"50KB-LF", bytes.ReplaceAll(linesOf(50<<10, "", always(70)), []byte("\r\n"), []byte("\n"))},
}

func BenchmarkDotWriter(b *testing.B) {
	for _, bb := range benchLines {
		if CheckCanonical(bb.p) != nil {
			continue
		}
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.p)))
			b.ReportAllocs()
			for b.Loop() {
				d := NewDotWriter(io.Discard)
				if _, err := d.Write(bb.p); err != nil {
					b.Fatal(err)
				}
				if err := d.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLineScan(b *testing.B) {
	for _, bb := range benchLines {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(int64(len(bb.p)))
			b.ReportAllocs()
			for b.Loop() {
				var s lineScan
				if !s.add(bb.p) || !s.ends() {
					b.Fatal("refused")
				}
			}
		})
	}
}

func BenchmarkParseReplyLine(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseReplyLine("250-2.1.5 Recipient OK"); err != nil {
			b.Fatal(err)
		}
	}
}
