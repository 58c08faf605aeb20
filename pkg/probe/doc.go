// Package probe asks a domain's mail hosts which TLS they speak, and foretells what sending to them would come to.
//
// A Prober's Domain looks up a domain's mail hosts and asks every address of theirs: one full
// session that is as polite as a sender's (EHLO, STARTTLS, TLS with everything on offer, EHLO,
// QUIT; never MAIL) and, beside it, up to three bare ClientHellos for the versions below the one
// that the session got (see pkg/hello). What to ask next and what the answers mean is decided by
// the ladder, which is pure. An address that many domains share is asked once.
//
// Every version gets one of four answers. No is said only where the server refused the version
// or chose a lower one; whatever was throttled, slow or broken is unknown; and what is offered,
// but only with suites or groups that sendctl's own TLS does not have, is unusable.
//
// Where TLS is missing it may have been taken out on the way: traces of that are looked for, and
// told in words (RFC 3207 §6).
//
// Profiles are not simulated: their verdicts come from the host loop of pkg/courier itself, up
// to the point at which MAIL would follow.
package probe
