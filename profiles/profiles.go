// Package profiles holds the ready-made sender profiles, embedded, and nothing else.
package profiles

import "embed"

// FS holds one NAME.toml for each shipped profile, in the form of a user's own.
//
//go:embed *.toml
var FS embed.FS
