//go:build linux

package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// suite is one run of the whole: its parts in order, each in rounds.
type suite struct {
	lab
	rounds   int
	messages int // of part a; the others follow from it
	only     []string
	senders  []string
	million  bool
	report   string
	raw      string
	say      io.Writer // progress
}

// suiteRole runs the suite, and writes its report.
func suiteRole(ctx context.Context, args []string) (err error) {
	s := suite{say: os.Stderr}
	flags := flag.NewFlagSet("suite", flag.ContinueOnError)
	flags.StringVar(&s.sendctl, "sendctl", "", "the program that is measured")
	flags.StringVar(&s.nodemailer, "nodemailer", "", "the directory in which nodemailer is installed; without it nodemailer is left out")
	flags.IntVar(&s.connections, "connections", 20, "how many every sender may have at once")
	flags.IntVar(&s.rounds, "rounds", 5, "how often each part is run")
	flags.IntVar(&s.messages, "messages", 20000, "of part a; the others follow from it")
	flags.BoolVar(&s.million, "million", false, "run part e with 1,000,000 recipients, which takes minutes")
	only := flags.String("only", "", "these parts alone, such as a,d")
	senders := flags.String("senders", "", "these senders alone: those whose name contains one of these words, such as sendctl,loop")
	work := flags.String("work", os.TempDir(), "where to make the directory for all files; its disk is part of what is measured")
	flags.StringVar(&s.report, "report", "", "write the tables into this file, between its markers, instead of to stdout")
	flags.StringVar(&s.raw, "raw", "", "append each run to this file, in the format that benchstat reads")
	if err := flags.Parse(args); err != nil {
		return err
	}
	s.only, s.senders = list(*only), list(*senders)
	if s.self, err = os.Executable(); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp(*work, "sendctl-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	if err := os.Chmod(s.dir, 0o755); err != nil { // Postfix's users enter, too
		return err
	}
	began := time.Now()
	err = s.run(ctx)
	fmt.Fprintf(s.say, "the suite took %s\n", time.Since(began).Round(time.Second))
	return err
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// wanted says whether a sender is to be run.
func (s *suite) wanted(sender string) bool {
	return len(s.senders) == 0 || slices.ContainsFunc(s.senders, func(w string) bool {
		return strings.Contains(strings.ToLower(sender), strings.ToLower(w))
	})
}

// entry is one row of a part's table.
type entry struct {
	name string
	run  func(ctx context.Context) (figures, error)
}

// part is one question that the suite answers: what is run, which columns its table has, and what was aimed at.
type part struct {
	key, title string
	entries    []entry
	columns    []column
	targets    []target
}

// run goes through the parts, and publishes each when it is through.
func (s *suite) run(ctx context.Context) error {
	if err := publish(s.report, "machine", s.machine(ctx)); err != nil {
		return err
	}
	for _, p := range s.parts() {
		if len(s.only) > 0 && !slices.Contains(s.only, p.key) {
			continue
		}
		p.entries = slices.DeleteFunc(p.entries, func(e entry) bool { return e.run == nil || !s.wanted(e.name) })
		if len(p.entries) == 0 {
			continue
		}
		results, err := s.play(ctx, p)
		if err != nil {
			return err
		}
		if err := publish(s.report, p.key, p.table(results)); err != nil {
			return err
		}
	}
	return nil
}

// play runs a part's rounds. Within a round every entry has its turn, so that what else the machine does meets all.
func (s *suite) play(ctx context.Context, p part) ([][]figures, error) {
	results := make([][]figures, len(p.entries))
	for round := range s.rounds {
		for turn := range p.entries {
			i := (turn + round) % len(p.entries) // who comes first changes
			f, err := p.entries[i].run(ctx)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				return nil, fmt.Errorf("part %s, %s: %w", p.key, p.entries[i].name, err)
			}
			results[i] = append(results[i], f)
			fmt.Fprintf(s.say, "%s %d/%d %s: %s\n", p.key, round+1, s.rounds, p.entries[i].name, f)
			if err := record(s.raw, p.key, p.entries[i].name, f); err != nil {
				return nil, err
			}
		}
	}
	return results, nil
}
