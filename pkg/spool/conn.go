package spool

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
)

// conn is one connection to the database, for one goroutine at a time. It talks to the driver
// itself: database/sql costs half as much again per statement, and its pool is of no use to a
// writer that must be one connection.
type conn struct {
	c     driver.Conn
	stmts map[string]driver.Stmt
	args  []driver.NamedValue
}

// pragma is a setting, its value, and how it reads when it was understood. The driver ignores
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
	name, err := dataSource(path, pragmas)
	if err != nil {
		return nil, err
	}
	connector, err := sqlite.NewConnector(name)
	if err != nil {
		return nil, err
	}
	dc, err := connector.Connect(context.Background())
	if err != nil {
		return nil, err
	}
	c := &conn{c: dc, stmts: map[string]driver.Stmt{}}
	for _, p := range pragmas {
		if err := c.confirm(p); err != nil {
			return nil, errors.Join(err, c.close())
		}
	}
	return c, nil
}

func dataSource(path string, pragmas []pragma) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	abs = filepath.ToSlash(abs)
	if !strings.HasPrefix(abs, "/") {
		abs = "/" + abs
	}
	q := url.Values{"_dqs": {"0"}, "_error_rc": {"1"}}
	for _, p := range pragmas {
		q.Add("_pragma", p.name+"("+p.value+")")
	}
	u := url.URL{Scheme: "file", Path: abs, RawQuery: q.Encode()}
	return u.String(), nil
}

func (c *conn) confirm(p pragma) error {
	got := ""
	err := c.query("PRAGMA "+p.name, nil, func(s *scan) error {
		got = fmt.Sprint(s.any())
		return nil
	})
	if err == nil && !strings.EqualFold(got, p.reads) {
		err = fmt.Errorf("SQLite has %s = %q where %q was asked for; the file system may not support it", p.name, got, p.value)
	}
	return err
}

// prepared gives the statement for a constant SQL text.
func (c *conn) prepared(sql string) (driver.Stmt, error) {
	if s, ok := c.stmts[sql]; ok {
		return s, nil
	}
	s, err := c.c.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("%w in %q", err, sql)
	}
	c.stmts[sql] = s
	return s, nil
}

func (c *conn) bound(values []any) []driver.NamedValue {
	c.args = c.args[:0]
	for i, v := range values {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args
}

// exec runs a statement and tells how many rows it changed. Values are int64, string, []byte,
// bool or nil.
func (c *conn) exec(sql string, values ...any) (int64, error) {
	s, err := c.prepared(sql)
	if err != nil {
		return 0, err
	}
	res, err := s.(driver.StmtExecContext).ExecContext(context.Background(), c.bound(values))
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query runs a statement and hands each row to each.
func (c *conn) query(sql string, values []any, each func(*scan) error) error {
	s, err := c.prepared(sql)
	if err != nil {
		return err
	}
	return c.rows(s, values, each)
}

// queryOnce is query for SQL that is put together at run time: its statement is not kept.
func (c *conn) queryOnce(sql string, values []any, each func(*scan) error) error {
	s, err := c.c.Prepare(sql)
	if err != nil {
		return fmt.Errorf("%w in %q", err, sql)
	}
	return errors.Join(c.rows(s, values, each), s.Close())
}

func (c *conn) rows(s driver.Stmt, values []any, each func(*scan) error) (err error) {
	rows, err := s.(driver.StmtQueryContext).QueryContext(context.Background(), c.bound(values))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	r := scan{values: make([]driver.Value, len(rows.Columns()))}
	for {
		switch err := rows.Next(r.values); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		r.at = 0
		if err := each(&r); err != nil {
			return err
		}
	}
}

// truncateLog takes the log over into the database and empties it, for old versions of rows
// lie in it, with what they said of messages that are settled. Where another process uses the
// database just now it is left to that one: nobody waits for it.
func (c *conn) truncateLog() {
	for _, sql := range []string{"PRAGMA busy_timeout = 100", "PRAGMA wal_checkpoint(TRUNCATE)"} {
		_ = c.queryOnce(sql, nil, func(*scan) error { return nil })
	}
}

func (c *conn) close() error {
	var err error
	for _, s := range c.stmts {
		err = errors.Join(err, s.Close())
	}
	return errors.Join(err, c.c.Close())
}

// scan reads the columns of a row in their order; NULL reads as the zero value.
type scan struct {
	values []driver.Value
	at     int
}

func (s *scan) any() driver.Value {
	v := s.values[s.at]
	s.at++
	return v
}

func (s *scan) int() int64 {
	switch v := s.any().(type) {
	case int64:
		return v
	case bool:
		if v {
			return 1
		}
	}
	return 0
}

func (s *scan) yes() bool { return s.int() != 0 }

func (s *scan) text() string {
	switch v := s.any().(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

func (s *scan) blob() []byte {
	switch v := s.any().(type) {
	case []byte:
		return v
	case string:
		return []byte(v)
	}
	return nil
}

// null reports whether the next column is NULL, without reading it.
func (s *scan) null() bool { return s.values[s.at] == nil }
