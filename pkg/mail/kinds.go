package mail

import "bytes"

// byteOrderMark is U+FEFF in UTF-8, which some editors put in front.
const byteOrderMark = "\xef\xbb\xbf"

// wrongKind names what a file is that is no single message, judged by how it begins; nil
// where nothing speaks against mail.
func wrongKind(b []byte) *ParseError {
	begins := func(magic string) bool { return bytes.HasPrefix(b, []byte(magic)) }
	refuse := func(what, hint string) *ParseError {
		return &ParseError{Line: 1, Reason: "this is " + what + ", not a mail message", Hint: hint}
	}
	const export = "export it from the mail program as .eml"
	switch {
	case begins("From ") && !spaceThenColon(b[len("From"):]):
		return refuse("an mbox file", "an .eml file is one message: split the mbox, and remove the line that begins with From and a space")
	case isUTF16(b):
		return refuse("UTF-16 or UTF-32 text", "save the file as UTF-8 or ASCII")
	case begins("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
		return refuse("an Outlook .msg file", export)
	case begins("\x78\x9f\x3e\x22"):
		return refuse("a winmail.dat (TNEF) file", export)
	case begins("!BDN"):
		return refuse("an Outlook .pst file", export)
	case isEmlx(b):
		return refuse("an Apple Mail .emlx file", "remove the number in its first line and the XML after the message, or "+export)
	case begins("%PDF-"):
		return refuse("a PDF file", "attach it to a message")
	case begins("PK\x03\x04"):
		return refuse("a ZIP or Office file", "unpack it, or attach it to a message")
	case begins("\x1f\x8b"):
		return refuse("a gzip file", "unpack it")
	case begins("\x89PNG"), begins("\xff\xd8\xff"), begins("GIF8"):
		return refuse("an image", "attach it to a message")
	case begins(`{\rtf`):
		return refuse("an RTF file", "attach it to a message")
	case begins("<"):
		return refuse("an HTML or XML file", "put it into a message as a text/html part")
	}
	return nil
}

// spaceThenColon tells a header field From with a space before its colon from an mbox line.
func spaceThenColon(b []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(b, " \t"), []byte(":"))
}

// isUTF16 knows UTF-16 and UTF-32 by the byte order mark, or by ASCII in 16 bits.
func isUTF16(b []byte) bool {
	if len(b) < 2 {
		return false
	}
	return b[0] == 0xff && b[1] == 0xfe || b[0] == 0xfe && b[1] == 0xff ||
		len(b) >= 4 && (b[0] == 0 && b[1] != 0 && b[2] == 0 || b[0] != 0 && b[1] == 0 && b[3] == 0 ||
			b[0] == 0 && b[1] == 0 && b[2] == 0xfe && b[3] == 0xff)
}

// isEmlx knows a first line that is only a number: the length of the message that follows.
func isEmlx(b []byte) bool {
	n := 0
	for n < len(b) && isDigit(b[n]) {
		n++
	}
	rest := bytes.TrimLeft(b[n:min(len(b), n+64)], " ")
	return n > 0 && emptyLine(rest) > 0
}
