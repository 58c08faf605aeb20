package delivery

import "github.com/sendctl/sendctl/pkg/policy"

// rules tell why a server refused; the first that applies decides. Their order:
//
//  1. An enhanced status that can only mean one thing.
//  2. Wording that can only mean one thing. It stands before the general statuses because
//     large providers say 5.7.1 to nearly everything and mean what they write.
//  3. The address and mailbox statuses, by their subject.
//  4. Wording that is weaker: what servers also say beside the real cause.
//  5. The other statuses, by their subject.
//  6. The reply code and the stage.
//
// What is left is server-deferred or server-rejected. Within wording, what tells the sender
// most comes first: that its host is not authenticated before that it is slowed down for
// that, that it is on a list before that the list is against spam. Phrases are those of many
// servers; where one is a single provider's, it is named.
var rules = []rule{
	// 1. Statuses that say all (RFC 3463 §3, IANA's registry of enhanced status codes).
	{reason: policy.MailboxFull, at: atRecipient | atContent, status: []detail{{2, 2}}},
	// 452 and 552 speak of storage: with an address status beside them (Orange) that is the slip.
	{reason: policy.MailboxFull, at: atRecipient | atContent, codes: []int{422, 452, 552}, words: mailboxFull},
	{reason: policy.RecipientRejected, at: atRecipient | atContent, class: 5, status: []detail{{1, 1}, {1, 2}, {1, 3}, {1, 4}, {1, 6}, {1, 10}}},
	{reason: policy.SenderRejected, at: atSender | atRecipient | atContent, status: []detail{{1, 7}, {1, 8}}},
	{reason: policy.MessageTooLarge, at: atSender | atRecipient | atContent, status: []detail{{2, 3}, {3, 4}}},
	{reason: policy.Throttled, status: []detail{{5, 3}, {7, 28}}}, // too many recipients; mail flood
	{reason: policy.ContentRejected, at: atSender | atRecipient | atContent, status: []detail{{6, anyDetail}}},

	// 2. Wording that says all.
	{reason: policy.Greylisted, class: 4, words: []string{
		"greylist", "graylist", "grey list", "gray list", "postgrey",
		"internal resources are temporarily unavailable", // Mimecast
	}},
	// It wants TLS and got none: nothing else that it says matters.
	{reason: policy.PolicyRejected, words: tlsDemanded},
	// Who we are could not be verified: SPF, DKIM, DMARC, reverse DNS, EHLO name.
	{reason: policy.PolicyRejected, words: []string{
		"spf", "openspf", "sender policy framework", "dkim", "dmarc", "unauthenticated", "authentication checks", "authentication level",
		"ptr", "reverse dns", "rdns", "reverse hostname", "your hostname", "dns check", "spoof",
		"helo command rejected", "invalid helo", "bad helo", "helo ehlo argument",
	}},
	{reason: policy.Throttled, words: []string{
		"rate limit", "ratelimit", "rate control", "rate that prevents", "unusual rate", "too fast", "too quickly", "slow down", "slower",
		"throttl", "frequency limited", "frequency of receiving", "excessive volume", "unexpected volume", "user complaints",
		"too many connections", "too many sessions", "too many concurrent", "concurrent", "connection limit", "number of connections",
		"message per connection", "per hour", "this hour", "daily", "sending limit", "sending quota", "message count", "permitted limits", "exceeded their limit",
		"hl icc", "hl ifc", "mi sfq", "mi dmc", // NetEase (163, 126)
	}},
	{reason: policy.Throttled, class: 4, words: []string{
		"too many", "too much mail", "server busy", "server is busy", "ports are busy", "agent busy", "server too busy",
	}},
	{reason: policy.PolicyRejected, words: []string{
		"blacklist", "blocklist", "denylist", "black list", "block list", "blocked using", "is listed", "are listed",
		"spamhaus", "spamcop", "barracudacentral", "dnsbl", "rbl", "reputation", "senderscore", "banned", "dynamic ip", "dialup",
		"ask your postmaster", // T-Online
	}},
	{reason: policy.MailboxFull, at: atRecipient | atContent, words: mailboxFull},
	{reason: policy.MessageTooLarge, at: atSender | atRecipient | atContent, words: []string{
		"too large", "too big", "message size", "email size", "mail size", "mailsize", "size limit", "maximum size", "size exceeds", "databytes",
	}},
	{reason: policy.ContentRejected, at: atContent, words: append([]string{
		"virus", "malware", "infected", "phish", "content", "attachment", "filter", "header", "malformed", "mime", "rfc 5322", "rfc 2822", "bare", "stray",
	}, spam...)},
	// Before the content it is the sender whom a server calls a spammer.
	{reason: policy.PolicyRejected, at: atHost | atSender | atRecipient, words: spam},
	{reason: policy.SenderRejected, at: atSender | atRecipient | atContent, words: []string{
		"sender address", "sender rejected", "sender denied", "sender verify", "sender unknown", "sender domain", "invalid sender", "bad sender",
		"unknown sender", "domain of sender", "envelope sender", "badmailfrom", "unresolvable",
		"emetteur invalide", // Orange, Laposte
	}},
	{reason: policy.RecipientRejected, at: atRecipient | atContent, class: 5, words: unknownRecipient},

	// 3. Address and mailbox statuses in general. What a mailbox status means once the content
	// was seen is as often the content.
	{reason: policy.SenderRejected, at: atSender, status: []detail{{1, anyDetail}}},
	{reason: policy.RecipientRejected, at: atRecipient, class: 5, status: []detail{{1, anyDetail}, {2, anyDetail}}},
	{reason: policy.RecipientRejected, at: atContent, class: 5, status: []detail{{2, 1}, {2, 4}}},

	// 4. Weaker wording.
	{reason: policy.ServerDeferred, class: 4, words: []string{
		"system problem", "server error", "system error", "local problem", "local error", "internal error", "lookup failure", "lookup error",
		"timeout", "timed out", "shutting down", "insufficient", "resources", "out of memory", "configuration error", "write error", "space shortage",
	}},
	{reason: policy.Throttled, class: 4, words: []string{
		"try again", "try later", "retry later", "come back later", "try your message again",
	}},
	{reason: policy.PolicyRejected, words: []string{
		"policy", "policies", "denied", "not allowed", "not permitted", "not authorized", "not authenticated", "prohibit", "blocked", "refused",
		"forbidden", "administrative", "unacceptable", "suspicious", "suspected", "relay", "rcpthosts",
		"authentication required", "auth required",
		"hl rep", "hl mep", // NetEase
	}},

	// 5. The other statuses.
	{reason: policy.PolicyRejected, status: []detail{{7, anyDetail}}},
	{reason: policy.Throttled, status: []detail{{4, 5}}}, // congestion
	{reason: policy.ServerDeferred, class: 4, status: []detail{{3, anyDetail}, {4, anyDetail}, {5, anyDetail}}},
	{reason: policy.ServerRejected, class: 5, status: []detail{{3, anyDetail}, {4, anyDetail}, {5, anyDetail}}},

	// 6. Codes. 421 means that the host has no time for us now, 530 and 538 ask for authentication
	// or encryption first (RFC 4954 §6, RFC 3207 §4), 571 is an old way to say 5.7.1.
	{reason: policy.Throttled, codes: []int{421}},
	{reason: policy.PolicyRejected, codes: []int{530, 538, 571}},
	// RFC 5321 §4.2.3 and RFC 7504 §4: these are about the mailbox that the command named.
	{reason: policy.RecipientRejected, at: atRecipient, codes: []int{550, 551, 553, 556}},
	{reason: policy.SenderRejected, at: atSender, codes: []int{550, 553}},
}

var mailboxFull = []string{
	"mailbox full", "mailbox is full", "inbox is full", "account is full", "full mailbox", "mailbox size", "quota", "overquota", "over storage",
	"storage space", "storage allocation", "allowed storage", "speichervolumen", "destinataire pleine", "too many messages on the server",
}

var tlsDemanded = []string{
	"starttls", "requires encryption", "encryption required", "encryption is required", "tls required", "tls is required",
	"requires tls", "require tls", "tls connection", "tls ssl", "must use tls", "encrypted connection",
}

var spam = []string{"spam", "antispam", "unsolicited", "junk", "dt spm", "rp spm"}

var unknownRecipient = []string{
	"user unknown", "unknown user", "user is unknown", "user not known", "user not found", "no such", "unknown recipient", "recipient unknown",
	"recipient not", "recipient rejected", "recipient address rejected", "recipient no longer", "recipient suspend", "address rejected",
	"unknown mailbox", "unknown address", "address unknown", "unknown local", "unknown or illegal", "unknown account",
	"invalid recipient", "invalid mailbox", "invalid user", "invalid address", "bad address", "bad recipient", "bad destination",
	"mailbox not found", "mailbox unavailable", "mailbox is unavailable", "mailbox not available", "mailbox is disabled", "mailbox disabled",
	"mailbox is inactive", "no mailbox", "not a valid", "not a known", "not our customer", "not found", "not listed", "not exist", "doesn t exist",
	"doesn t have a", "unrouteable", "unroutable", "undeliverable address", "no longer valid", "no longer available", "inactive",
	"account disabled", "account is disabled", "account has been disabled", "account that you tried to reach", "suspended", "discontinued",
	"deactivated", "nicht bekannt", "compte du destinataire",
}
