package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// sender is everybody's reverse-path.
const sender = "sender@clinic.example"

// batch is a directory of messages.
type batch struct {
	dir        string
	messages   int
	octets     int // of each message, at least
	recipients int // of each message
	domains    int // that the messages go to, in turn
}

// name is the file of the message with this number.
func name(n int) string { return fmt.Sprintf("%07d.eml", n) }

// to are the recipients of the message with this number.
func (b batch) to(n int) []string {
	to := make([]string, b.recipients)
	for i := range to {
		to[i] = recipient(n*b.recipients+i, n%b.domains)
	}
	return to
}

// write makes the files.
func (b batch) write() error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	for n := range b.messages {
		if err := os.WriteFile(filepath.Join(b.dir, name(n)), b.message(n), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// message is one message, complete with Date and Message-ID, its lines ended by CR LF.
func (b batch) message(n int) []byte {
	m := make([]byte, 0, b.octets+80)
	m = fmt.Appendf(m, "From: Clinic <%s>\r\nTo: %s\r\nSubject: Your appointment %d\r\n", sender, strings.Join(b.to(n), ",\r\n "), n)
	m = fmt.Appendf(m, "Date: Mon, 02 Mar 2026 09:00:00 +0000\r\nMessage-ID: <%d.%d@clinic.example>\r\n", n, b.octets)
	m = append(m, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"...)
	line := strings.Repeat("all is well. ", 6)[:76] + "\r\n"
	for len(m) < b.octets {
		m = append(m, line[:min(len(line)-2, max(0, b.octets-len(m)-2))]...)
		m = append(m, "\r\n"...)
	}
	return m
}
