package dsn

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The notifications as they go out, whole; UPDATE_GOLDEN=1 writes the files anew.
func TestGolden(t *testing.T) {
	t.Parallel()
	all := fixtures(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		got := Compose(all[name])
		file := filepath.Join("testdata", name+".eml")
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// By lines, so that a difference can be read.
		if d := cmp.Diff(strings.Split(string(want), "\r\n"), strings.Split(string(got), "\r\n")); d != "" {
			t.Errorf("%s differs (UPDATE_GOLDEN=1 accepts it), - want + got:\n%s", file, d)
		}
	}
	files, err := filepath.Glob("testdata/*.eml")
	if err != nil || len(files) != len(all) {
		t.Errorf("%d golden files for %d notifications (%v)", len(files), len(all), err)
	}
}
