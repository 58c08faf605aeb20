package mail

import (
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

func BenchmarkDotWriter(b *testing.B) {
	p := []byte(messageOf(50<<10, "\r\n"))
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		d := NewDotWriter(io.Discard)
		if _, err := d.Write(p); err != nil {
			b.Fatal(err)
		}
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
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
