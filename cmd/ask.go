package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/sendctl/sendctl/pkg/config"
	"github.com/sendctl/sendctl/pkg/mail"
	"github.com/sendctl/sendctl/pkg/policy"
	"github.com/sendctl/sendctl/pkg/tlsnames"
)

// asker asks a person on a terminal, a line at a time.
type asker struct {
	ctx context.Context // of the command, whose interrupt ends the asking
	in  *bufio.Reader
	out io.Writer
}

// asker is nil where nobody is there to be asked: standard input or the talk is no terminal.
func (a *app) asker(ctx context.Context) *asker {
	if !isTerminal(a.stdin) || !isTerminal(a.stderr) {
		return nil
	}
	return &asker{ctx, bufio.NewReader(a.stdin), a.stderr}
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// answer is a line, or why there is none.
type answer struct {
	text string
	err  error
}

// read reads one line beside the asking, since a read from a terminal cannot be interrupted.
// Between questions nothing reads, for an editor may be at the terminal then.
func (q *asker) read() <-chan answer {
	line := make(chan answer, 1)
	go func() {
		text, err := q.in.ReadString('\n')
		if text != "" {
			err = nil
		}
		line <- answer{strings.TrimSpace(text), err}
	}()
	return line
}

// ask puts one question; an empty answer is the fallback.
func (q *asker) ask(question, fallback string) (string, error) {
	if fallback != "" {
		question += " [" + fallback + "]"
	}
	if _, err := fmt.Fprintf(q.out, "%s: ", question); err != nil {
		return "", fail(exitInterrupted, fmt.Errorf("asking: %w", err), "")
	}
	select {
	case <-q.ctx.Done():
		return "", fail(exitInterrupted, errors.New("interrupted: nothing was written"), "")
	case a := <-q.read():
		if a.err != nil {
			return "", usagef("answer the questions, or give flags", "no answer: nothing was written")
		}
		if a.text == "" {
			return fallback, nil
		}
		return a.text, nil
	}
}

// until puts questions until check has nothing against the answers.
func (q *asker) until(check func() error, questions ...func() error) error {
	for {
		for _, question := range questions {
			if err := question(); err != nil {
				return err
			}
		}
		err := check()
		if err == nil {
			return nil
		}
		message, hint := complaint(err)
		if _, err := fmt.Fprintf(q.out, "  %s\n", mail.Clean(message)); err != nil {
			return fail(exitInterrupted, fmt.Errorf("asking: %w", err), "")
		}
		if hint != "" {
			_, _ = fmt.Fprintf(q.out, "  %s\n", mail.Clean(hint))
		}
	}
}

// complaint is what is wrong with an answer.
func complaint(err error) (message, hint string) {
	var e *config.Error
	if errors.As(err, &e) && len(e.Problems) > 0 {
		return e.Problems[0].Message, e.Problems[0].Hint
	}
	return err.Error(), hintOf(asExit(err))
}

// text is a question for a line of text; "" leaves a key out.
func (q *asker) text(question, fallback string, into **string) func() error {
	return func() error {
		s, err := q.ask(question, fallback)
		*into = &s
		return err
	}
}

// list is a question for values separated by commas.
func (q *asker) list(question string, into **[]string) func() error {
	return func() error {
		s, err := q.ask(question, "")
		values := splitPatterns([]string{s})
		*into = &values
		return err
	}
}

// askProfile asks for what a profile says.
func askProfile(q *asker, dir, name string, f *config.ProfileFields) error {
	check := func() error { return config.CheckProfile(dir, name, *f) }
	if err := check(); err != nil {
		return configError(err) // the name, before any question
	}
	if err := q.until(check, q.text("Description", "", &f.Description)); err != nil {
		return err
	}
	if err := q.until(check, q.text("Mode (forced: encrypted or not at all, opportunistic: else in clear)", string(policy.ModeForced), &f.Mode)); err != nil {
		return err
	}
	forced := *f.Mode == string(policy.ModeForced)
	if err := q.until(check, q.versions(forced, f)); err != nil {
		return err
	}
	if err := q.until(check, q.certificate(dir, forced, f)); err != nil {
		return err
	}
	if err := q.until(check, q.list("Cipher suites, IANA or OpenSSL names separated by commas, empty for the default ones", &f.Ciphers)); err != nil {
		return err
	}
	if err := q.until(check, q.clientCertificate(dir, f)); err != nil {
		return err
	}
	if forced {
		if err := q.until(check, q.text("Where a server definitively has no such TLS (bounce, defer)", "bounce", &f.OnTLSFailure)); err != nil {
			return err
		}
	}
	return q.until(check, q.text("IP pool", policy.DefaultPool, &f.Pool))
}

// versions asks for protocol versions.
func (q *asker) versions(forced bool, f *config.ProfileFields) func() error {
	set := tlsnames.AllVersions
	if forced {
		set = tlsnames.VersionsOf(tlsnames.TLS12, tlsnames.TLS13)
	}
	return func() error {
		s, err := q.ask("TLS versions", joined(set.Names()))
		var names []string
		for _, v := range splitPatterns([]string{s}) {
			if strings.Trim(v, "0123456789.") == "" {
				v = "TLSv" + v
			}
			names = append(names, v)
		}
		f.Protocols = &names
		return err
	}
}

// certificate asks what is demanded of the server's certificate, and for the roots where needed.
func (q *asker) certificate(dir string, forced bool, f *config.ProfileFields) func() error {
	fallback := policy.CertificateNone
	if forced {
		fallback = policy.CertificateDefault
	}
	return func() error {
		f.CAFile = nil
		err := q.text("Server certificate (none: not demanded, default: trusted and for the MX name, custom: roots from a file)", string(fallback), &f.Certificate)()
		if err != nil || *f.Certificate != string(policy.CertificateCustom) {
			return err
		}
		return q.file(dir, "File of the roots to trust (PEM)", &f.CAFile)
	}
}

// clientCertificate asks for the certificate to show, and its key.
func (q *asker) clientCertificate(dir string, f *config.ProfileFields) func() error {
	return func() error {
		f.ClientKey = nil
		err := q.file(dir, "Client certificate file, empty for none", &f.ClientCertificate)
		if err != nil || *f.ClientCertificate == "" {
			return err
		}
		return q.file(dir, "Its key file", &f.ClientKey)
	}
}

func (q *asker) file(dir, question string, into **string) error {
	s, err := q.ask(question, "")
	s = besideProfiles(dir, s)
	*into = &s
	return err
}
