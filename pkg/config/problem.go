package config

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/sendctl/sendctl/pkg/internal/tomldoc"
	"github.com/sendctl/sendctl/pkg/mail"
)

// Problem is one thing that is wrong, or may not be meant, in one file. Line and Column count
// from 1, columns in characters; both are 0 where the file as a whole is meant. Message and
// Hint may quote what stands in the file, with control characters escaped.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	Hint    string `json:"hint"`

	// elsewhere tells that the file may be right and what it refers to is at fault.
	elsewhere bool
}

// String is "file:line:column: message", as compilers write it, fit for a terminal.
func (p Problem) String() string {
	where := mail.Clean(p.File)
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", where, p.Line, p.Column)
	}
	if where == "" {
		return p.Message
	}
	return where + ": " + p.Message
}

// Problems is everything that was found, sorted by file and place. With an error nothing may
// be sent; warnings are for the eyes of the administrator.
type Problems struct {
	Errors   []Problem `json:"errors"`
	Warnings []Problem `json:"warnings"`
}

// Err is nil where there are no errors, else an *Error that names the first and counts the rest.
func (p Problems) Err() error {
	if len(p.Errors) == 0 {
		return nil
	}
	e := errorOf(p.Errors)
	if len(p.Errors) > 1 {
		e.Hint = "sendctl validate shows them all"
	}
	return e
}

// errorOf is an error that stands for one or more problems.
func errorOf(found []Problem) *Error {
	e := &Error{Message: found[0].String(), Hint: found[0].Hint, Problems: found}
	if n := len(found) - 1; n > 0 {
		e.Message += fmt.Sprintf(" (and %d more)", n)
	}
	return e
}

func (p *Problems) sort() {
	order := func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	}
	slices.SortStableFunc(p.Errors, order)
	slices.SortStableFunc(p.Warnings, order)
}

// Error is a fault of the configuration, for which nothing is done: exit status 78.
type Error struct {
	Message string
	Hint    string // what to do, may be empty
	Cause   error  // may be nil; its text is part of Message
	// Problems is everything that was found, where the error stands for faults in files.
	Problems []Problem
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Cause }

// UsageError is a fault in what was asked for, whatever the configuration says: exit status 64.
type UsageError struct {
	Message string
	Hint    string // what to do, may be empty
}

// Error is the message.
func (e *UsageError) Error() string { return e.Message }

// report collects what is found in one file.
type report struct {
	file string
	*Problems
}

func (r report) errorAt(at tomldoc.Position, hint, format string, args ...any) {
	r.Errors = append(r.Errors, Problem{File: r.file, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// elsewhere marks the last error as one of what the file refers to.
func (r report) elsewhere() { r.Errors[len(r.Errors)-1].elsewhere = true }

func (r report) warnAt(at tomldoc.Position, hint, format string, args ...any) {
	r.Warnings = append(r.Warnings, Problem{File: r.file, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// errorf is an error of the file as a whole.
func (r report) errorf(hint, format string, args ...any) {
	r.errorAt(tomldoc.Position{}, hint, format, args...)
}

// warnf is a warning about the file as a whole.
func (r report) warnf(hint, format string, args ...any) {
	r.warnAt(tomldoc.Position{}, hint, format, args...)
}
