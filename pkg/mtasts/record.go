package mtasts

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoRecord means that a domain says nothing about MTA-STS.
var ErrNoRecord = errors.New("no MTA-STS record")

// ParseRecord finds the policy's id in the TXT records of _mta-sts.DOMAIN (RFC 8461 §3.1):
// those that do not begin with v=STSv1 do not count, and of the others there must be exactly
// one. ErrNoRecord where there is none; any other error is a record at fault, which counts as
// none too.
func ParseRecord(texts []string) (id string, err error) {
	var found []string
	for _, t := range texts {
		if rest, ok := strings.CutPrefix(t, "v=STSv1"); ok && (rest == "" || strings.ContainsRune("; \t", rune(rest[0]))) {
			found = append(found, rest)
		}
	}
	switch len(found) {
	case 0:
		return "", ErrNoRecord
	case 1:
	default:
		return "", fmt.Errorf("%d MTA-STS records where there must be one", len(found))
	}
	for i, part := range strings.Split(found[0], ";") {
		name, value, ok := strings.Cut(strings.Trim(part, " \t"), "=")
		switch {
		case strings.Trim(part, " \t") == "":
			continue
		case i == 0:
			return "", errors.New("the MTA-STS record has no ; behind its version")
		case !ok:
			return "", fmt.Errorf("the MTA-STS record has a field without a value: %q", name)
		case name == "id" && id == "":
			if id, err = parseID(value); err != nil {
				return "", err
			}
		}
	}
	if id == "" {
		return "", errors.New("the MTA-STS record has no id")
	}
	return id, nil
}

func parseID(s string) (string, error) {
	if s == "" || len(s) > 32 || strings.ContainsFunc(s, func(r rune) bool { return r > 0x7e || !alphanumeric(byte(r)) }) {
		return "", fmt.Errorf("the MTA-STS record's id is %q, not 1 to 32 letters and digits", s)
	}
	return s, nil
}
