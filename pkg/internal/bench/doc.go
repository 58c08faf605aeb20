// Package bench measures sendctl against other senders, on one machine and in one go.
//
// All of it is test code: a mail host that discards and counts (sink), a network with a round trip (relay), a sender
// as bare as it can be (loop), and the suite that runs sendctl, Postfix and nodemailer in turn against the same sink.
// .ci/bench runs the suite; docs/benchmarks.md says what each figure means. The tests of this package check the
// instruments themselves, and measure nothing.
package bench
