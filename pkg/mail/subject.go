package mail

import (
	"io"
	"mime"
	"strings"
	"unicode/utf8"
)

// Subjects are the values of every Subject field, unfolded, as they stand and, where that
// differs, decoded (RFC 2047). Decoded text may hold anything, line ends too: it is for
// comparing, and needs Clean before anyone sees it.
func (m *Message) Subjects() []string {
	var list []string
	words := mime.WordDecoder{CharsetReader: asciiOf}
	for _, f := range m.fields {
		if f.kind != fieldSubject {
			continue
		}
		raw := unfold(m.header[f.value:f.end])
		list = append(list, raw)
		if decoded, err := words.DecodeHeader(raw); err == nil && decoded != raw {
			list = append(list, decoded)
		}
	}
	return list
}

// asciiOf decodes a charset that package mime does not know as far as it agrees with
// ASCII, as nearly all do: a rule that looks for "[secure]" must see it whatever charset
// the words around it are in.
func asciiOf(_ string, input io.Reader) (io.Reader, error) {
	b, err := io.ReadAll(input)
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	for _, c := range b {
		if c < utf8.RuneSelf {
			text.WriteByte(c)
		} else {
			text.WriteRune(utf8.RuneError)
		}
	}
	return strings.NewReader(text.String()), nil
}
