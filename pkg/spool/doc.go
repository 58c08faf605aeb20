// Package spool keeps messages at rest until every recipient is settled, and the record of what was done.
//
// # What is kept, and where
//
//	STATE/spool.db   one SQLite database (WAL, synchronous=FULL): messages without their bodies,
//	                 recipients, the record, claims. Never a byte of a body, never a Subject.
//	STATE/bodies/    append-only segment files, each written by one process: the bodies, in wire form.
//	STATE/owners/    one lock file a process that has claims; the kernel frees it when the process dies.
//	STATE/corrupt/   files found in bodies/ that are no segments of this spool.
//	STATE/*.lock     held while the spool is opened, swept, or worked on by a queue run.
//
// Nobody but SQLite may open spool.db within the process: closing a file drops the locks that
// the process has on it.
//
// # The order of calls
//
//	Add      a message and its recipients; durable when it returns
//	Claim    leases recipients that are due (Add does it at once where asked to)
//	Body     the bytes to send, checked against their SHA-256
//	Intend   the intent to send, durable before the final dot: who is lost here must not be sent
//	Settle   the outcome and its row of the record, in one transaction
//
// After a crash between Intend and Settle the recipient is in doubt: whether the server took the
// message cannot be known. A dead owner's claims are free at once; see owner.go.
//
// When the last recipient of a message is settled its body is overwritten with zeros, then what
// else was kept of its header goes; the envelope stays, with the record. What a crash leaves
// undone the next Open finishes.
//
// # Another store
//
// The methods of Spool speak of claims and leases and never of files, so that a shared database
// can stand behind them. The SQL keeps to what SQLite and PostgreSQL both understand ($1
// parameters, BIGINT milliseconds, RETURNING, partial indexes); DDL differs in the {{PK}} macro.
package spool
