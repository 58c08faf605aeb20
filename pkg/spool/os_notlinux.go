//go:build !linux

package spool

import "os"

// networkFileSystem is told apart on Linux only: SQLite's own check of its settings remains.
func networkFileSystem(string) string { return "" }

// syncData makes a file's bytes durable.
func syncData(f *os.File) error { return f.Sync() }
