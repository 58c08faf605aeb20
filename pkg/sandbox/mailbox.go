package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/sendctl/sendctl/pkg/mail"
)

// mailbox writes each message to a file of its own.
type mailbox struct {
	dir      string
	sequence atomic.Int64
}

// openMailbox makes the directory where missing (0700) and returns what writes to it; nil for an empty name.
func openMailbox(dir string) (func(Delivery) error, error) {
	if dir == "" {
		return nil, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory for received messages: %w", err)
	}
	return (&mailbox{dir: dir}).write, nil
}

// write keeps a message. It appears under its name only once it is whole.
func (m *mailbox) write(d Delivery) error {
	name := fmt.Sprintf("%s-%06d-%s.eml", d.Time.UTC().Format("20060102T150405.000000Z"), m.sequence.Add(1), domainOf(d))
	f, err := os.CreateTemp(m.dir, ".incoming-*")
	if err != nil {
		return fmt.Errorf("writing a received message: %w", err)
	}
	_, err = f.Write(trace(d))
	if err == nil {
		_, err = f.Write(d.Data)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(m.dir, name))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing the received message %s: %w", name, err), os.Remove(f.Name()))
	}
	return nil
}

// domainOf is the first recipient's domain, as far as it is fit for a file name.
func domainOf(d Delivery) string {
	domain := d.Host
	if len(d.Recipients) > 0 {
		if at := strings.LastIndexByte(d.Recipients[0].Address, '@'); at >= 0 {
			domain = d.Recipients[0].Address[at+1:]
		}
	}
	domain = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '.':
			return r
		}
		return '_'
	}, strings.ToLower(domain))
	return domain[:min(len(domain), 100)]
}

// trace is the header fields that tell the envelope and the TLS facts.
func trace(d Delivery) []byte {
	var b bytes.Buffer
	field := func(name, value string) { fmt.Fprintf(&b, "X-Sandbox-%s: %s\r\n", name, mail.Clean(value)) }
	field("Host", d.Host)
	field("Time", d.Time.UTC().Format("2006-01-02T15:04:05.000000Z"))
	field("Ehlo", d.Ehlo)
	field("Mail-From", "<"+d.MailFrom+">")
	if len(d.MailParams) > 0 {
		field("Mail-Params", strings.Join(d.MailParams, " "))
	}
	for _, r := range d.Recipients {
		field("Rcpt-To", "<"+r.Address+">")
	}
	for _, r := range d.Recipients {
		if len(r.Params) > 0 {
			field("Rcpt-Params", "<"+r.Address+"> "+strings.Join(r.Params, " "))
		}
	}
	session, subject := "none", "none"
	if d.TLS != nil {
		session = d.TLS.Version.String() + " " + d.TLS.Cipher.String()
		if d.TLS.ClientCertificate != nil {
			subject = d.TLS.ClientCertificate.Subject.String()
		}
	}
	field("TLS", session)
	field("Client-Certificate", subject)
	if d.TLS != nil {
		field("TLS-Group", d.TLS.Group.String())
		field("TLS-Server-Name", d.TLS.ServerName)
	}
	return b.Bytes()
}
