package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/sendctl/sendctl/pkg/internal/tomldoc"
)

// table reads one table of a file. Each method reports what is wrong with a value, at its
// place, and then gives the zero value or the fallback, so that reading goes on.
type table struct {
	report
	doc  *tomldoc.Doc
	path []string
	m    map[string]any
	// notTable tells that something else stands in the table's place, which was reported.
	notTable bool
}

// parse reads a file's syntax; false where that failed, which was reported.
func (r report) parse(data []byte, keys ...string) (table, bool) {
	doc, err := tomldoc.Parse(data)
	if err != nil {
		var e *tomldoc.Error
		if errors.As(err, &e) {
			r.errorAt(e.Position, e.Hint, "%s", e.Message)
		} else {
			r.errorf("", "%s", err)
		}
		return table{}, false
	}
	t := table{report: r, doc: doc, m: doc.Tree}
	t.only(keys)
	return t, true
}

// only reports every key that is not one of keys.
func (t table) only(keys []string) {
	for _, key := range slices.Sorted(maps.Keys(t.m)) {
		if slices.Contains(keys, key) {
			continue
		}
		hint := didYouMean(key, keys)
		if folded := strings.ToLower(key); slices.Contains(keys, folded) {
			hint = "keys are written in lower case: " + folded
		}
		if hint == "" {
			hint = "known here: " + strings.Join(keys, ", ")
		}
		t.errorAt(t.doc.Key(t.at(key)...), hint, "unknown key %s", t.name(key))
	}
}

func (t table) at(keys ...string) []string { return slices.Concat(t.path, keys) }

// name is a key as people write it: tls.mode.
func (t table) name(key string) string {
	parts := t.at(key)
	for i, p := range parts {
		if !plainKey(p) {
			parts[i] = strconv.Quote(p)
		}
	}
	return strings.Join(parts, ".")
}

func plainKey(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && r != '-' && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	}) < 0
}

func (t table) has(key string) bool { _, ok := t.m[key]; return ok }

// valuef reports an error at a key's value, or at an element of it.
func (t table) valuef(hint string, path []string, format string, args ...any) {
	t.errorAt(t.doc.Value(path...), hint, "%s: %s", t.name(path[len(t.path)]), fmt.Sprintf(format, args...))
}

// wrongType reports a value of another type than it should have.
func (t table) wrongType(key string, v any, want, example string) {
	t.valuef("write "+key+" = "+example, t.at(key), "%s is wanted, this is %s", want, typeName(v))
}

func typeName(v any) string {
	switch v := v.(type) {
	case string:
		return "text"
	case bool:
		return "a boolean"
	case int64:
		return "an integer"
	case float64:
		return "a number with a fraction"
	case time.Time:
		switch v.Location().String() {
		case "date-local":
			return "a date alone"
		case "time-local":
			return "a time of day"
		}
		return "a date with time"
	case []any, []map[string]any:
		return "an array"
	case map[string]any:
		return "a table"
	default:
		return fmt.Sprintf("%T", v)
	}
}

// require reports a key that is missing.
func (t table) require(key, example string) bool {
	if !t.has(key) && !t.notTable {
		t.errorAt(t.doc.Key(t.path...), "write "+example, "%s is missing", t.name(key))
	}
	return t.has(key)
}

// sub is a table within this one; an empty one where it is missing.
func (t table) sub(key string, keys ...string) table {
	s := table{report: t.report, doc: t.doc, path: t.at(key)}
	switch v := t.m[key].(type) {
	case nil:
	case map[string]any:
		s.m = v
		s.only(keys)
	default:
		s.notTable = true
		t.valuef("write ["+t.name(key)+"] on a line of its own and the keys below it", t.at(key), "a table is wanted, this is %s", typeName(v))
	}
	return s
}

// text reads a string without control characters, "" where there is none.
func (t table) text(key string) string {
	switch v := t.m[key].(type) {
	case nil:
		return ""
	case string:
		return t.plain(v, t.at(key))
	default:
		t.wrongType(key, v, "text", `"…"`)
		return ""
	}
}

// plain refuses control characters, which have no business here and would reach terminals.
func (t table) plain(s string, path []string) string {
	if i := strings.IndexFunc(s, unicode.IsControl); i >= 0 {
		t.valuef("", path, "control characters are not allowed: %q", shorten(s))
		return ""
	}
	return s
}

func shorten(s string) string {
	const most = 64
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// choice reads one of several words, fallback where there is none.
func (t table) choice(key, fallback string, words ...string) string {
	if !t.has(key) {
		return fallback
	}
	v, ok := t.m[key].(string)
	switch {
	case !ok:
		t.wrongType(key, t.m[key], "text", strconv.Quote(words[0]))
	case !slices.Contains(words, v):
		t.valuef("accepted: "+oneOf(words), t.at(key), "%q is not known here", shorten(v))
	default:
		return v
	}
	return fallback
}

func (t table) flag(key string) bool {
	switch v := t.m[key].(type) {
	case nil:
		return false
	case bool:
		return v
	default:
		t.wrongType(key, v, "true or false", "true")
		return false
	}
}

// number reads an integer from 1 to high, fallback where there is none.
func (t table) number(key string, fallback, high int) int {
	switch v := t.m[key].(type) {
	case nil:
	case int64:
		if v >= 1 && v <= int64(high) {
			return int(v)
		}
		t.valuef(fmt.Sprintf("accepted: 1 to %d", high), t.at(key), "%d is out of range", v)
	default:
		t.wrongType(key, v, "an integer", strconv.Itoa(fallback))
	}
	return fallback
}

// durationForms is what a duration may look like.
const durationForms = `accepted: a number and its unit, such as "30s", "5m" or "2h30m"`

// duration reads a time span from low to high, fallback where there is none.
func (t table) duration(key string, fallback, low, high time.Duration) time.Duration {
	switch v := t.m[key].(type) {
	case nil:
	case string:
		if d, ok := t.span(v, t.at(key), low, high); ok {
			return d
		}
	default:
		t.wrongType(key, v, "text", strconv.Quote(shortDuration(fallback)))
	}
	return fallback
}

func (t table) span(s string, path []string, low, high time.Duration) (time.Duration, bool) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		t.valuef(durationForms, path, "%q is not a duration", shorten(s))
	case d < low || d > high:
		t.valuef(fmt.Sprintf("accepted: %s to %s", shortDuration(low), shortDuration(high)), path, "%s is out of range", shorten(s))
	default:
		return d, true
	}
	return 0, false
}

// shortDuration is 5m rather than 5m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if rest, ok := strings.CutSuffix(s, "m0s"); ok {
		s = rest + "m"
	}
	if rest, ok := strings.CutSuffix(s, "h0m"); ok {
		s = rest + "h"
	}
	return s
}

// item is one string of an array and where it stands.
type item struct {
	text string
	path []string
}

// texts reads an array of strings; what is wrong in it is left out.
func (t table) texts(key, example string) []item {
	v, ok := t.m[key].([]any)
	if !ok {
		if t.has(key) {
			t.wrongType(key, t.m[key], "an array of texts", example)
		}
		return nil
	}
	var out []item
	for i, element := range v {
		path := t.at(key, strconv.Itoa(i))
		s, ok := element.(string)
		if !ok {
			t.valuef("write "+key+" = "+example, path, "text is wanted, this is %s", typeName(element))
			continue
		}
		if t.plain(s, path) == s {
			out = append(out, item{s, path})
		}
	}
	return out
}
