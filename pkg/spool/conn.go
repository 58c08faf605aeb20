package spool

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"zombiezen.com/go/sqlite"
)

// conn is one connection to the database, for one goroutine at a time.
type conn struct {
	c     *sqlite.Conn
	stmts map[string]*statement
}

// statement is a prepared statement. SQLite numbers parameters in the order in which it meets
// them; values has for each the place of its value, which is the number in its name.
type statement struct {
	*sqlite.Stmt
	values []int
}

// pragma is a setting, its value, and how it reads when it was understood. SQLite ignores
// what it does not know without a word, so every setting is read back.
type pragma struct{ name, value, reads string }

func writerPragmas() []pragma {
	return []pragma{
		{"busy_timeout", "20000", "20000"},
		{"journal_mode", "wal", "wal"},
		{"synchronous", "full", "2"},
		{"fullfsync", "on", "1"}, // on macOS fsync alone does not reach the platter
		{"checkpoint_fullfsync", "on", "1"},
		{"secure_delete", "on", "1"}, // metadata of settled messages is zeroed, not only unlinked
		{"temp_store", "memory", "2"},
		{"wal_autocheckpoint", "4000", "4000"},
		{"cache_size", "-16000", "-16000"},
		{"trusted_schema", "off", "0"},
	}
}

func readerPragmas() []pragma {
	return []pragma{
		{"busy_timeout", "20000", "20000"},
		{"query_only", "on", "1"},
		{"temp_store", "memory", "2"},
		{"cache_size", "-8000", "-8000"},
		{"trusted_schema", "off", "0"},
	}
}

// dial opens the database and makes sure of its settings.
func dial(path string, pragmas []pragma) (*conn, error) {
	abs, err := filepath.Abs(path) // so that no name is taken for something else
	if err != nil {
		return nil, err
	}
	sc, err := sqlite.OpenConn(abs, sqlite.OpenReadWrite, sqlite.OpenCreate)
	if err != nil {
		return nil, err
	}
	c := &conn{c: sc, stmts: map[string]*statement{}}
	for _, p := range pragmas {
		if err := c.set(p); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	return c, nil
}

// set makes a setting and makes sure of it.
func (c *conn) set(p pragma) error {
	if err := c.queryOnce("PRAGMA "+p.name+" = "+p.value, nil, func(*scan) error { return nil }); err != nil {
		return err
	}
	got := ""
	err := c.queryOnce("PRAGMA "+p.name, nil, func(s *scan) error { got = s.text(); return nil })
	if err == nil && !strings.EqualFold(got, p.reads) {
		err = fmt.Errorf("SQLite has %s = %q where %q was asked for; the file system may not support it", p.name, got, p.value)
	}
	return err
}

// prepared gives the statement for a constant SQL text. It is kept, and prepared as one that
// is: what SQLite has set aside for short-lived memory is left to its execution.
func (c *conn) prepared(sql string) (*statement, error) {
	if s, ok := c.stmts[sql]; ok {
		return s, nil
	}
	ps, err := c.c.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("%w in %q", err, sql)
	}
	s, err := numbered(ps)
	if err == nil {
		c.stmts[sql] = s
	}
	return s, err
}

// numbered finds the places of a statement's values.
func numbered(ps *sqlite.Stmt) (*statement, error) {
	s := &statement{Stmt: ps, values: make([]int, ps.BindParamCount())}
	for i := range s.values {
		name := ps.BindParamName(i + 1)
		n, err := strconv.Atoi(strings.TrimPrefix(name, "$"))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("the parameter %q is not $ and a number", name), ps.Finalize())
		}
		s.values[i] = n - 1
	}
	return s, nil
}

// bind sets the statement's parameters: values are int64, string, []byte, bool or nil.
func (s *statement) bind(values []any) error {
	for i, at := range s.values {
		if at >= len(values) {
			return fmt.Errorf("parameter $%d has no value", at+1)
		}
		switch v := values[at].(type) {
		case int64:
			s.BindInt64(i+1, v)
		case string:
			s.BindText(i+1, v)
		case []byte:
			s.BindBytes(i+1, v)
		case bool:
			s.BindBool(i+1, v)
		case nil:
			s.BindNull(i + 1)
		default:
			// It is not named: then no value need be on the heap.
			return fmt.Errorf("parameter $%d is of a type that is not known", at+1)
		}
	}
	return nil
}

// exec runs a statement and tells how many rows it changed.
func (c *conn) exec(sql string, values ...any) (int64, error) {
	s, err := c.prepared(sql)
	if err != nil {
		return 0, err
	}
	if err := s.run(values, func(*scan) error { return nil }); err != nil {
		return 0, err
	}
	return int64(c.c.Changes()), nil
}

// query runs a statement and hands each row to each.
func (c *conn) query(sql string, values []any, each func(*scan) error) error {
	s, err := c.prepared(sql)
	if err != nil {
		return err
	}
	return s.run(values, each)
}

// queryOnce is query for SQL that is put together at run time: its statement is not kept.
func (c *conn) queryOnce(sql string, values []any, each func(*scan) error) error {
	ps, rest, err := c.c.PrepareTransient(sql)
	if err != nil {
		return fmt.Errorf("%w in %q", err, sql)
	}
	if rest != 0 {
		return errors.Join(fmt.Errorf("more than one statement in %q", sql), ps.Finalize())
	}
	s, err := numbered(ps)
	if err != nil {
		return err
	}
	return errors.Join(s.run(values, each), s.Finalize())
}

// run binds the values and hands each row to each. It leaves the statement reset, so that it
// holds no lock, with its values, which the next run replaces.
func (s *statement) run(values []any, each func(*scan) error) error {
	err := s.bind(values)
	for row := true; err == nil && row; {
		if row, err = s.Step(); row {
			err = each(&scan{s.Stmt, 0})
		}
	}
	return errors.Join(err, s.Reset())
}

// truncateLog takes the log over into the database and empties it, for old versions of rows
// lie in it, with what they said of messages that are settled. Where another process uses the
// database just now it is left to that one: nobody waits for it.
func (c *conn) truncateLog() {
	for _, sql := range []string{"PRAGMA busy_timeout = 100", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		_ = c.queryOnce(sql, nil, func(*scan) error { return nil })
	}
}

// close ends the connection and the statements that were kept.
func (c *conn) close() error { return c.c.Close() }

// scan reads the columns of a row in their order; NULL reads as the zero value.
type scan struct {
	s  *sqlite.Stmt
	at int
}

func (s *scan) next() int {
	s.at++
	return s.at - 1
}

func (s *scan) int() int64 { return s.s.ColumnInt64(s.next()) }

func (s *scan) yes() bool { return s.int() != 0 }

func (s *scan) text() string { return s.s.ColumnText(s.next()) }

// blob is nil where the column is NULL or empty.
func (s *scan) blob() []byte {
	i := s.next()
	n := s.s.ColumnLen(i)
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	s.s.ColumnBytes(i, b)
	return b
}

// null reports whether the next column is NULL, without reading it.
func (s *scan) null() bool { return s.s.ColumnIsNull(s.at) }
