package probe

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/sendctl/sendctl/pkg/internal/atomicfile"
)

// maxRemembered bounds the file; of more, none are kept.
const maxRemembered = 100_000

// LoadMemory reads what an earlier run found out. A missing file, and one that cannot be read
// as such, is an empty memory: all is asked anew.
func LoadMemory(path string) (Memory, error) {
	m := Memory{}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, fmt.Errorf("reading what an earlier preflight found out: %w", err)
	}
	if err := json.Unmarshal(data, &m); err != nil || m == nil {
		m = Memory{}
	}
	return m, nil
}

// Save writes the memory, whole or not at all.
func (m Memory) Save(path string) error {
	if len(m) > maxRemembered {
		return nil
	}
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("writing down what was found out: %w", err)
	}
	if err := atomicfile.Replace(path, data, 0o600); err != nil {
		return fmt.Errorf("writing down what was found out: %w", err)
	}
	return nil
}
