package tomldoc

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxLine is the length from which an array is written with one element a line.
const maxLine = 100

// Literal writes a value in TOML: string, bool, int, int64, time.Time or []string. Text that
// is not UTF-8 and values of other types are errors.
func Literal(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return quote(v)
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	case []string:
		return array(v)
	}
	return "", fmt.Errorf("writing a value in TOML: no form for %T", value)
}

func array(values []string) (string, error) {
	parts := make([]string, len(values))
	length := 0
	for i, v := range values {
		q, err := quote(v)
		if err != nil {
			return "", err
		}
		parts[i] = q
		length += len(q) + 2
	}
	if length <= maxLine {
		return "[" + strings.Join(parts, ", ") + "]", nil
	}
	return "[\n  " + strings.Join(parts, ",\n  ") + ",\n]", nil
}

// quote writes a basic string (TOML 1.0 "String").
func quote(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("writing %q in TOML: it is not UTF-8", s)
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String(), nil
}

// quoteKey writes a key, bare where that is allowed.
func quoteKey(s string) (string, error) {
	bare := s != "" && strings.IndexFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}) < 0
	if bare {
		return s, nil
	}
	return quote(s)
}

func quoteKeys(path []string) (string, error) {
	parts := make([]string, len(path))
	for i, p := range path {
		q, err := quoteKey(p)
		if err != nil {
			return "", err
		}
		parts[i] = q
	}
	return strings.Join(parts, "."), nil
}
