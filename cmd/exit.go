package cmd

import (
	"errors"
	"fmt"
)

// Exit statuses (SPEC §3; the numbers of sysexits.h, and 130 for an interrupt).
const (
	exitOK          = 0
	exitUsage       = 64
	exitInvalid     = 65 // one or more messages were refused as invalid
	exitNoInput     = 66 // nothing to send, or a file that could not be read
	exitNoDomain    = 68 // a domain cannot receive mail
	exitBounced     = 69
	exitBug         = 70
	exitState       = 74 // the state directory cannot be written
	exitDeferred    = 75
	exitConfig      = 78
	exitInterrupted = 130
)

// exitError is an error that knows its exit status and what to do about it.
type exitError struct {
	status int
	err    error
	hint   string
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// fail makes an error with an exit status; hint may be empty.
func fail(status int, err error, hint string) error {
	return &exitError{status, err, hint}
}

// usagef is an error in how the command was called.
func usagef(hint, format string, args ...any) error {
	return fail(exitUsage, fmt.Errorf(format, args...), hint)
}

// configf is an error in the configuration.
func configf(hint, format string, args ...any) error {
	return fail(exitConfig, fmt.Errorf(format, args...), hint)
}

// outcome is an exit status that needs no message, since the output has told the story.
type outcome int

func (o outcome) Error() string { return fmt.Sprintf("exit status %d", int(o)) }

// statusOf is the one switch from errors to exit status. What nobody gave a type came from
// the command line's parser: a usage error.
func statusOf(err error) int {
	if err == nil {
		return exitOK
	}
	var o outcome
	if errors.As(err, &o) {
		return int(o)
	}
	var e *exitError
	if errors.As(err, &e) {
		return e.status
	}
	return exitUsage
}

// hintOf is what to do about an error, "" where nothing is known.
func hintOf(err error) string {
	var e *exitError
	if errors.As(err, &e) {
		return e.hint
	}
	return ""
}
