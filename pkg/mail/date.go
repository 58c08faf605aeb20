package mail

import (
	"strconv"
	"strings"
	"time"
)

// dateFormat is RFC 5322 §3.3 with a day of two digits, as nearly everyone writes it.
const dateFormat = "Mon, 02 Jan 2006 15:04:05 -0700"

// parseDate reads a date-time (RFC 5322 §3.3) and its obsolete forms (§4.3): comments,
// named zones, no seconds, years of two digits. The day of the week is not looked at.
func parseDate(s string) (time.Time, bool) {
	s = withoutComments(s)
	if _, behindDay, ok := strings.Cut(s, ","); ok {
		s = behindDay
	}
	words := strings.Fields(s)
	if len(words) != 5 {
		return time.Time{}, false
	}
	clock := "15:04:05"
	if strings.Count(words[3], ":") == 1 {
		clock = "15:04"
	}
	words[2], words[4] = fullYear(words[2]), numericZone(words[4])
	t, err := time.Parse("2 Jan 2006 "+clock+" -0700", strings.Join(words, " "))
	return t, err == nil
}

// fullYear: RFC 5322 §4.3.
func fullYear(year string) string {
	n, err := strconv.ParseUint(year, 10, 16)
	switch {
	case err != nil:
		return year
	case len(year) == 2 && n < 50:
		return strconv.FormatUint(2000+n, 10)
	case len(year) == 2 || len(year) == 3:
		return strconv.FormatUint(1900+n, 10)
	}
	return year
}

// numericZone: RFC 5322 §4.3; military letters tell nothing and count as UTC.
func numericZone(zone string) string {
	switch z := strings.ToUpper(zone); z {
	case "UT", "UTC", "GMT":
		return "+0000"
	case "EDT":
		return "-0400"
	case "EST", "CDT":
		return "-0500"
	case "CST", "MDT":
		return "-0600"
	case "MST", "PDT":
		return "-0700"
	case "PST":
		return "-0800"
	default:
		if len(z) == 1 && 'A' <= z[0] && z[0] <= 'Z' && z != "J" {
			return "+0000"
		}
		return zone
	}
}

// withoutComments puts a space where comments were; "" where one does not end.
func withoutComments(s string) string {
	if strings.IndexByte(s, '(') < 0 {
		return s
	}
	var b strings.Builder
	r := addressReader{b: []byte(s)}
	for {
		if r.skipCFWS() != nil {
			return ""
		}
		if r.atEnd() {
			return b.String()
		}
		b.WriteByte(' ')
		for c := r.peek(); !r.atEnd() && c != '(' && c != ' ' && c != '\t'; c = r.peek() {
			b.WriteByte(c)
			r.pos++
		}
	}
}
